# The agent.  host.mk: log, guest network, VMM driver; proxy.mk: data path.

include agent/host.mk
include agent/proxy.mk

AGENT_SRCS := $(addprefix agent/,agent.c capacity.c check.c conf.c \
              conf_files.c conf_parse.c failures.c guest_config.c image.c \
              instance.c instance_boot.c instance_claim.c instance_probe.c \
              instance_put.c instance_serve.c instance_stop.c \
              instance_table.c jobs.c jobs_nodes.c jobs_place.c \
              jobs_settle.c loop.c node.c notify.c ports.c specs.c state.c \
              trial.c)
AGENT_OBJS := $(AGENT_SRCS:%.c=$(B)/%.o)
AGENT_LIBS := $(HOST_LIBS) -lhiredis
AGENT_BIN  := $(B)/agent/fcfaas-agent

AGENT_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard t/unit/agent_*.c)))

TARGETS     += $(AGENT_BIN)
UNIT_TESTS  += $(AGENT_TESTS)
PROVE_FILES += t/agent/agent.t t/agent/chaos.t t/agent/check.t t/agent/docs.t \
               t/agent/examples.t t/agent/late.t t/agent/stop.t

$(AGENT_BIN): $(B)/agent/main.o $(AGENT_OBJS) $(HOST_OBJS) $(PROXY_OBJS) \
              $(B)/contract/libfcf.a $(PROXY_LIB)
	$(CC) -o $@ $^ $(LDFLAGS) $(AGENT_LIBS)

$(AGENT_TESTS): $(B)/t/unit/%: $(B)/t/unit/%.o $(AGENT_OBJS) $(HOST_OBJS) \
              $(PROXY_OBJS) $(B)/contract/libfcf.a $(PROXY_LIB)
	$(CC) -o $@ $^ $(LDFLAGS) $(AGENT_LIBS)
