# The contract library, its unit tests, and contract_probe, the program that
# t/fault/etcd_*.t and t/fault/redis_*.t drive.

CONTRACT_OBJS := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard contract/*.c client/*.c)))
CONTRACT_LIBS := -lcurl -lhiredis -ljansson

CONTRACT_TESTS := $(patsubst %.c,$(B)/%,\
    $(filter-out t/unit/contract_probe.c,$(sort $(wildcard t/unit/contract_*.c))))

TARGETS    += $(B)/contract/libfcf.a
UNIT_TESTS += $(CONTRACT_TESTS)

$(B)/contract/libfcf.a: $(CONTRACT_OBJS)
	rm -f $@
	ar rcs $@ $^

$(B)/t/unit/contract_http $(B)/t/unit/contract_redis: $(B)/agent/base/loop.o

# an object given here stands in for the one of the library
$(B)/t/unit/contract_sync $(B)/t/unit/contract_sync_bad \
    $(B)/t/unit/contract_sync_beside \
    $(B)/t/unit/contract_etcd: $(B)/t/unit/fake_http.o

$(CONTRACT_TESTS): $(B)/t/unit/%: $(B)/t/unit/%.o $(B)/t/unit/fake_loop.o \
    $(B)/contract/libfcf.a
	$(CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS) \
	    $(CONTRACT_LIBS) -luv

CONTRACT_PROBE := $(B)/t/unit/contract_probe
TARGETS        += $(CONTRACT_PROBE)
PROVE_FILES    += $(sort $(wildcard t/fault/*.t))

$(CONTRACT_PROBE): $(B)/t/unit/contract_probe.o $(B)/agent/base/loop.o \
    $(B)/contract/libfcf.a
	$(CC) -o $@ $^ $(LDFLAGS) $(CONTRACT_LIBS) -luv
