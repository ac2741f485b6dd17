/* What `noisegate calibrate` is asked: its options, read, checked against each other and completed. */
#ifndef NG_PROXY_CALIBRATE_REQUEST_H
#define NG_PROXY_CALIBRATE_REQUEST_H

#include "base/error.h"
#include "base/number.h"
#include "mechanisms/choose.h"

enum mode { MODE_AUTO, MODE_LAPLACE, MODE_GAUSSIAN, MODE_SELECTION };

struct request {
	enum mode mode;
	struct choose_terms terms; /* what the noise may cost */
	struct delta delta;        /* as given: the noise's and the selection's together */
	struct delta selecting;    /* the selection's */
	struct sensitivity norms; /* complete; without the lattice */
	double epsilon;           /* as given; for what given noise guarantees it may be 0 or infinity */
	bool has_epsilon, given, select;
	struct decimal scale;     /* given noise */
	uint64_t lattice, minimum, units;
	double confidence;
};

enum request_outcome { REQUEST_READY, REQUEST_HELP, REQUEST_USAGE, REQUEST_REFUSED };

/* REQUEST_REFUSED fills *e: a figure that is not a number, out of range, or does not go with the others.  REQUEST_USAGE: unknown or missing options. */
enum request_outcome calibrate_request(int argc, char **argv, struct request *r, struct error *e);

#endif
