/*
 * Which grouping sets of a statement count the same rows, so that their released totals can be made to agree with their parts (mechanisms/consistent.h).
 *
 * What must hold before the exact values of a total and its parts are known to add up:
 * (1) All keys of all sets are public: every part of every total is shown.
 * (2) No row lies outside the domain of a key that some set does not have: totals count rows that no part shows otherwise.
 * (3) Bounding takes nothing from one set that it leaves to another: a unit has one row (unique columns say so); or counts once in one group, and no two sets
 *     share a key, by which the groups that were sampled could differ.
 */
#ifndef NG_PLANNER_HIERARCHY_H
#define NG_PLANNER_HIERARCHY_H

#include "planner/post.h"

/* The hierarchies of a statement whose blocks are closed; fills the plan's. */
MUST_CHECK bool hierarchy_find(const struct post *post, struct plan *plan, struct error *e);

#endif
