/* What the command line says about itself. */
#ifndef NG_PROXY_USAGE_H
#define NG_PROXY_USAGE_H

#define NOISEGATE_VERSION "0.1.0"

extern const char usage_text[];       /* noisegate help */
extern const char usage_serve_text[]; /* noisegate serve --help */

#endif
