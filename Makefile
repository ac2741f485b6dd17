# Noisegate.  `make` builds, `make demo` shows, `make test` checks; CONTRIBUTING.md lists the rest.
MAKEFLAGS += --no-builtin-rules
ROOMS    := base mechanisms policies crypto planner budget proxy
BUILD    ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX   ?= /usr/local
OPT      ?= -O2 -g
SANITIZE ?=
SHELL    := /bin/bash

WARN     := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
            -Wundef -Wformat=2 -Wlogical-not-parentheses -Werror
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CPPFLAGS := -I. -D_GNU_SOURCE -I/usr/include/postgresql
CFLAGS   := -std=c11 $(OPT) $(WARN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -U_FORTIFY_SOURCE,$(HARDEN)) -pthread -include base/banned.h
LDFLAGS  := $(if $(SANITIZE),-fsanitize=$(SANITIZE),-pie -Wl,-z,relro,-z,now) -pthread
LIBS     := -lpg_query -lprotobuf-c -lpq -lsqlite3 -lyaml -lz -lssl -lcrypto -lm

# What needs a library that is not installed is replaced by a file that says so (crypto/*_absent.c).
P11_DIR  := /usr/include/p11-kit-1
HAVE_P11 := $(wildcard $(P11_DIR)/p11-kit/pkcs11.h)
HAVE_TSS := $(wildcard /usr/include/tss2/tss2_esys.h)
not_built := crypto/keystore_pkcs11$(if $(HAVE_P11),_absent).c $(foreach f,keystore_tpm tpm_nv,crypto/$f$(if $(HAVE_TSS),_absent).c)
CPPFLAGS += $(if $(HAVE_P11),-I$(P11_DIR))
LIBS     += $(if $(HAVE_P11),-lp11-kit) $(if $(HAVE_TSS),-ltss2-esys -ltss2-mu -ltss2-rc -ltss2-tctildr)

# One archive a room.  What a room may link is what layers.txt lets it include; listed top-down for the linker.
lib       = $(BUILD)/lib$(1).a
below     = $(strip $(shell sed -n 's/^$(1)://p' layers.txt))
ordered   = $(foreach r,proxy budget planner crypto policies mechanisms base,$(if $(filter $(r),$(1)),$(call lib,$(r))))
objects   = $(patsubst %.c,$(BUILD)/%.o,$(filter-out proxy/main.c $(not_built),$(wildcard $(1)/*.c)))

.PHONY: all
all: $(BUILD)/noisegate

$(BUILD)/noisegate: $(BUILD)/proxy/main.o $(call ordered,$(ROOMS))
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

define room
$(BUILD)/lib$(1).a: $(call objects,$(1))
	@rm -f $$@ && ar rcs $$@ $$^
.PHONY: lib-$(1) unit-$(1)
lib-$(1): $(BUILD)/lib$(1).a
# A room's unit tests link its archive and those below it, nothing else: a layer broken by linkage does not link.
$(BUILD)/tests/unit-$(1): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/$(1)/*.c) $(wildcard tests/support/unit_*.c)) $(call ordered,$(1) $(call below,$(1)))
	@mkdir -p $$(@D)
	$(CC) $(LDFLAGS) -o $$@ $$^ $(LIBS) -lcriterion
unit-$(1): $(BUILD)/tests/unit-$(1)
	$(BUILD)/tests/unit-$(1) $(CRITERION_ARGS)
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

.PHONY: unit-programs
unit-programs: $(foreach r,$(ROOMS),$(if $(wildcard tests/unit/$(r)/*.c),$(BUILD)/tests/unit-$(r)))

# Tests see the same warnings but may allocate and copy as they like.
$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -include base/banned.h -Wmissing-prototypes,$(CFLAGS)) -MMD -MP -c -o $@ $<
$(BUILD)/base/%.o: base/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DNG_ROOM_BASE $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# A test binary without noise, for comparing plans with PostgreSQL: tests/corpus/still.c.
.PHONY: still
still: $(BUILD)/tests/noisegate-still
$(BUILD)/tests/noisegate-still: $(BUILD)/proxy/main.o $(BUILD)/tests/corpus/still.o $(call ordered,$(ROOMS))
	$(CC) $(LDFLAGS) -Wl,--wrap=draws_sample,--wrap=noise_sample,--wrap=clip_choose,--wrap=select_threshold,--wrap=select_draw -o $@ $^ $(LIBS)

# A test binary whose noise is 15% too small, for the audit of the guarantee to find: tests/blackbox/quieter.c.
.PHONY: quieter
quieter: $(BUILD)/tests/noisegate-quieter
$(BUILD)/tests/noisegate-quieter: $(BUILD)/proxy/main.o $(BUILD)/tests/blackbox/quieter.o $(call ordered,$(ROOMS))
	$(CC) $(LDFLAGS) -Wl,--wrap=calibrate_laplace,--wrap=calibrate_gaussian -o $@ $^ $(LIBS)

# For tests that link archives themselves.
.PHONY: libs
libs:
	@echo $(LIBS)

.PHONY: clean
clean:
	rm -rf $(BUILD)

# --- for people ------------------------------------------------------------------------------------------------------------
.PHONY: demo demo-sealed demo-stop test soak check fuzz bench bench-seal bench-tpch coverage-intervals install layers headers lines mutants audit-privacy
demo:
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory -j2 all >/dev/null
	@NOISEGATE=$(CURDIR)/$(BUILD)/noisegate scripts/demo.sh start $(ARGS)
demo-sealed:
	@scripts/deps.sh sealed
	@$(MAKE) --no-print-directory -j2 all >/dev/null
	@NOISEGATE=$(CURDIR)/$(BUILD)/noisegate scripts/demo.sh sealed $(ARGS)
demo-stop:
	@scripts/demo.sh stop

test:
	@scripts/deps.sh test
	@tests/run.sh

# 10,000 kills of a charging proxy on SQLite, 5,000 with an anchor, 500 on PostgreSQL: tests/soak.
soak:
	@scripts/deps.sh test
	@SOAK_ROUNDS=$${SOAK_ROUNDS:-10000} bash tests/soak/suite.sh

# Every include goes downward; every file stays below 800 lines; every header compiles alone.
layers:
	@awk -f tests/layers.awk layers.txt $(wildcard $(addsuffix /*.[ch],$(ROOMS)))
lines:
	@wc -l $(wildcard $(addsuffix /*.[ch],$(ROOMS))) | awk '$$2 != "total" && $$1 > 800 { print $$2 ": " $$1 " lines"; bad = 1 } END { exit bad }'
headers:
	@for h in $(wildcard $(addsuffix /*.h,$(ROOMS))); do \
		printf '#include "%s"\nint main(void);\n' $$h | $(CC) $(CPPFLAGS) -std=c11 -Wall -Wextra -fsyntax-only -x c - || exit 1; done

mutants:
	@tests/mutants/run.sh

# The audit of the guarantee at full length: the true program 20 times, and one whose noise is 15% too small (an hour).
audit-privacy: all quieter
	@tests/blackbox/full.sh

check: layers lines headers
	@scripts/deps.sh test
	cppcheck --quiet --error-exitcode=1 --inline-suppr --suppressions-list=tests/cppcheck.txt --enable=warning,portability -I. -D_GNU_SOURCE $(ROOMS)
	clang-tidy --quiet --warnings-as-errors='*' $(filter-out $(not_built),$(wildcard $(addsuffix /*.c,$(ROOMS)))) -- $(CPPFLAGS) -std=c11 -include base/banned.h -DNG_ROOM_BASE -Wno-unused-value
	tests/sanitize.sh

FUZZ_SECONDS ?= 600
fuzz:
	@scripts/deps.sh test
	@tests/fuzz/run.sh $(FUZZ_SECONDS)

bench-tpch: all
	@bench/tpch.sh
bench-seal: all
	@bench/seal.sh
bench: all
	@bench/run.sh
	@bench/ledger.sh

# 20,000 runs of every aggregate: 95% intervals hold the bounded true value in 94 to 96%.
coverage-intervals:
	@bench/coverage.sh

install: all
	install -D -m 755 $(BUILD)/noisegate $(DESTDIR)$(PREFIX)/bin/noisegate
	install -D -m 644 policies/policy.schema.json $(DESTDIR)$(PREFIX)/share/noisegate/policy.schema.json
