# fcfaas.  "make help" lists what there is.
#
# Objects go to build/$(V): V is release (default), asan (ASan + UBSan, what
# the tests run), clang (clang, release flags) or fuzz (for t/fuzz alone).  Each folder's rules.mk says
# what is built there; see HACKING.md for where to register a file or a test.

V      ?= release
B      := build/$(V)
CC_release := gcc
CC_asan    := gcc
CC_clang   := clang
CC_fuzz    := clang
CC     := $(CC_$(V))

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
          -Wwrite-strings -Wformat=2 -Werror
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_clang   := -O2 -g
OPT_asan    := -O1 -g -fsanitize=address,undefined \
               -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
               -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS += -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(OPT_$(V)) -pthread
LDFLAGS += $(filter -fsanitize%,$(OPT_$(V))) -pthread

.DELETE_ON_ERROR:
.SUFFIXES:

# TARGETS: what "make" builds.  UNIT_TESTS: TAP programs below $(B)/t/unit.
# PROVE_FILES: *.t that "make test" runs besides t/*.t.
TARGETS     :=
UNIT_TESTS  :=
PROVE_FILES :=

.PHONY: all
all: targets

RULES := $(wildcard */rules.mk)
include $(RULES)

.PHONY: targets tests-built clean
targets: $(TARGETS)
tests-built: $(UNIT_TESTS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf build

-include $(shell test -d $(B) && find $(B) -name '*.d')
