#!/bin/bash
# Installs what is missing, quietly; nothing when all is there.   deps.sh build | sealed (for make demo-sealed) | test
set -u
build="gcc make libpg-query-dev libprotobuf-c-dev libpq-dev libsqlite3-dev libyaml-dev zlib1g-dev libssl-dev libp11-kit-dev libtss2-dev libtss2-tcti-swtpm0 libtss2-tcti-device0 openssl postgresql-15 postgresql-client-15 python3"
sealed="swtpm tpm2-tools"
test="libcriterion-dev python3-psycopg2 python3-psycopg python3-asyncpg python3-yaml python3-jsonschema python3-cryptography
      libpostgresql-jdbc-java default-jdk-headless clang libclang-rt-14-dev clang-tidy cppcheck softhsm2 procps $sealed"
wanted=$build
[ "${1:-build}" = sealed ] && wanted="$build $sealed"
[ "${1:-build}" = test ] && wanted="$build $test"
missing=
for p in $wanted; do
	dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
if [ "${1:-build}" = test ] && ! command -v npm >/dev/null; then missing="$missing nodejs npm"; fi
[ -z "$missing" ] && exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=sudo
	command -v sudo >/dev/null || { echo "deps.sh: missing packages:$missing; install them as root" >&2; exit 1; }
fi
echo "installing:$missing"
# A fresh postgresql-15 would create and start a cluster; ours are private and in scratch directories.
case "$missing" in *postgresql-15*)
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		$sudo mkdir -p /etc/postgresql-common
		echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
	fi ;;
esac
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq || exit 1
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || exit 1
