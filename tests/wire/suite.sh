/usr/bin/python3 tests/wire/run.py --program "$PWD/${BUILD:-build}/noisegate" --arguments "serve -c"
