# make test and its parts.  Which tests there are: the programs in UNIT_TESTS,
# t/*.t, t/gateway/*.t, and PROVE_FILES, where other folders' rules.mk add
# theirs; t/e2e/*.t come last.

GATEWAY_TESTS := $(sort $(wildcard t/*.t t/gateway/*.t))
E2E_TESTS     := $(sort $(wildcard t/e2e/*.t))

.PHONY: test test-deps test-build test-unit test-gateway test-other test-e2e \
    test-all test-kernel test-names soak reloads

test: test-deps
	@mkdir -p build
	@echo 'building three times (output: build/build.log)'
	@$(MAKE) --no-print-directory -j$$(nproc) test-build >build/build.log 2>&1 \
	    || { tail -n 40 build/build.log; exit 1; }
	@$(MAKE) --no-print-directory V=asan test-all

test-deps:
	run/deps test

# release and clang are there to be compiled without a warning; release also
# holds what tests share with make run: kernel and images
test-build:
	$(MAKE) --no-print-directory V=release targets tests-built
	$(MAKE) --no-print-directory V=clang targets tests-built
	$(MAKE) --no-print-directory V=asan targets tests-built
	$(MAKE) --no-print-directory V=fuzz fuzz-targets

# from here on V says which build is tested: make V=release test-unit
FCF_SUITE = @FCF_BUILD=$(B) t/suite

test-unit: tests-built
	$(FCF_SUITE) $(UNIT_TESTS)

test-gateway: targets
	$(FCF_SUITE) $(GATEWAY_TESTS)

test-other: targets
	$(FCF_SUITE) $(PROVE_FILES)

test-e2e: targets
	$(FCF_SUITE) $(E2E_TESTS)

# what boots guests, on the small kernel: it is built once, some ten minutes;
# make test runs t/agent/kernel.t alone, where it has been.  A hundred VMs are
# restored from one snapshot, sixteen at a time.
KERNEL_TESTS := t/agent/kernel.t t/agent/guest.t t/agent/runtimes.t \
                t/agent/standin.t t/agent/snapshot.t \
                t/agent/qemu_ahead.t t/agent/clones.t \
                t/agent/memory.t t/agent/restore_guest.t t/e2e/e2e.t

test-kernel:
	run/deps test
	@$(MAKE) --no-print-directory V=asan targets
	@$(MAKE) --no-print-directory V=release targets
	@date '+test-kernel: %T, the kernel'
	@$(MAKE) --no-print-directory kernel
	@date '+test-kernel: %T, the tests'
	@FCF_BUILD=build/asan FCF_KERNEL=small FCF_CLONES=100 t/suite $(KERNEL_TESTS)

# hours of a node's life in some ten minutes
soak: targets
	@FCF_BUILD=$(B) FCF_SOAK=10000 FCF_TEST_TIMEOUT=3600 t/suite t/agent/soak.t

# FCF_RELOADS and FCF_RELOAD_SPECS say otherwise
reloads: targets
	@FCF_BUILD=$(B) FCF_RELOADS=$${FCF_RELOADS:-1000} \
	    FCF_RELOAD_SPECS=$${FCF_RELOAD_SPECS:-100000} \
	    FCF_TEST_TIMEOUT=3600 t/suite t/gateway/reloads.t \
	    t/gateway/reloads_many.t t/gateway/reloads_away.t

# what test-all runs, for the test that each has its place there
test-names:
	@printf '%s\n' $(GATEWAY_TESTS) $(PROVE_FILES) $(E2E_TESTS)

test-all: targets tests-built
	$(FCF_SUITE) $(UNIT_TESTS) $(GATEWAY_TESTS) $(PROVE_FILES) $(E2E_TESTS)

include t/fuzz/rules.mk
