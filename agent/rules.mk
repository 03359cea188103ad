# The agent and its rooms.  All of it but the mains is one library, from which
# the programs and the tests take what they need.  llhttp's library is made in
# vm/vmm/rules.mk.

AGENT_DIRS := agent $(patsubst %/,%,$(sort $(wildcard agent/*/ \
              agent/*/*/)))
AGENT_SRCS := $(filter-out agent/main.c agent/proxy/main.c,\
              $(sort $(wildcard $(AGENT_DIRS:%=%/*.c))))
AGENT_OBJS := $(AGENT_SRCS:%.c=$(B)/%.o)
AGENT_LIB  := $(B)/agent/libfca.a
AGENT_BIN  := $(B)/agent/fcfaas-agent
PROXY_BIN  := $(B)/agent/fcfaas-proxy

AGENT_INC  := -I/usr/share/include/llhttp -I/usr/include/libnl3
PROXY_LIBS := -Wl,--as-needed -luv -lseccomp
AGENT_LIBS := $(PROXY_LIBS) -lnftables -lnl-route-3 -lnl-3 -ljansson \
              -lcurl -lhiredis -lmicrohttpd -lnettle

AGENT_LINK := $(AGENT_LIB) $(B)/contract/libfcf.a $(B)/llhttp/libllhttp.a

# t/unit: tests by what they test; programs that t/agent and bench drive
AGENT_TESTS := $(patsubst %.c,$(B)/%,$(sort $(filter-out %_host.c %_fake.c \
               t/unit/vmm_api.c t/unit/vmm_api_run.c t/unit/vmm_every.c \
               t/unit/vmm_conf.c,$(wildcard \
               t/unit/agent_*.c t/unit/log.c t/unit/net_*.c t/unit/proxy_*.c \
               t/unit/vmm_*.c))))
AGENT_HOSTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard t/unit/*_host.c)))

TARGETS     += $(AGENT_BIN) $(PROXY_BIN) $(AGENT_HOSTS)
UNIT_TESTS  += $(AGENT_TESTS)
PROVE_FILES += $(filter-out t/agent/guest.t t/agent/runtimes.t \
               t/agent/standin.t \
               t/agent/instant.t,$(sort $(wildcard t/agent/*.t)))

$(AGENT_OBJS) $(B)/agent/main.o $(B)/agent/proxy/main.o \
$(AGENT_TESTS:%=%.o) $(AGENT_HOSTS:%=%.o): CFLAGS += $(AGENT_INC)

$(AGENT_LIB): $(AGENT_OBJS)
	rm -f $@
	ar rcs $@ $^

$(AGENT_BIN): $(B)/agent/main.o $(AGENT_LINK)
	$(CC) -o $@ $^ $(LDFLAGS) $(AGENT_LIBS)

$(PROXY_BIN): $(B)/agent/proxy/main.o $(AGENT_LINK)
	$(CC) -o $@ $^ $(LDFLAGS) $(PROXY_LIBS)

$(B)/t/unit/vmm_driver $(B)/t/unit/vmm_start $(B)/t/unit/vmm_loop: \
    $(B)/t/unit/vmm_fake.o

$(B)/t/unit/agent_keys: $(B)/t/unit/fake_loop.o
$(B)/t/unit/agent_probe: LDFLAGS += -Wl,--wrap=fca_instance_event

$(AGENT_TESTS) $(AGENT_HOSTS): $(B)/t/unit/%: $(B)/t/unit/%.o $(AGENT_LINK)
	$(CC) -o $@ $(filter %.o,$^) $(AGENT_LINK) $(LDFLAGS) $(AGENT_LIBS)
