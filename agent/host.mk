# The agent's log, guest network and VMM driver, with their tests.

HOST_SRCS  := agent/log.c $(sort $(wildcard agent/net*.c agent/vmm*.c))
HOST_OBJS  := $(patsubst %.c,$(B)/%.o,$(HOST_SRCS))
HOST_LIBS  := -lnftables -lnl-route-3 -lnl-3 -luv -ljansson -lcurl

$(HOST_OBJS): CFLAGS += -I/usr/include/libnl3

HOST_TESTS := $(patsubst %.c,$(B)/%,\
    t/unit/log.c t/unit/net_pool.c t/unit/vmm_dir.c t/unit/vmm_driver.c)
HOST_TOOLS := $(patsubst %.c,$(B)/%,\
    t/unit/net_host.c t/unit/vmm_host.c)

UNIT_TESTS  += $(HOST_TESTS)
TARGETS     += $(HOST_TOOLS)
PROVE_FILES += t/agent/net.t t/agent/vmm.t

$(B)/t/unit/vmm_driver: $(B)/t/unit/vmm_fake.o

$(HOST_TESTS) $(HOST_TOOLS): $(B)/t/unit/%: $(B)/t/unit/%.o $(HOST_OBJS) \
    $(B)/agent/loop.o $(B)/contract/libfcf.a
	$(CC) -o $@ $^ $(LDFLAGS) $(HOST_LIBS)
