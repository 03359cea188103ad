# The agent's data path.  PROXY_SRCS is linked into the agent; llhttp's
# library is made in vm/vmm/rules.mk.

PROXY_SRCS := $(addprefix agent/,proxy.c proxy_loop.c proxy_route.c \
              proxy_conn.c proxy_relay.c proxy_guest.c proxy_answer.c \
              proxy_head.c proxy_rewrite.c proxy_body.c proxy_timer.c \
              proxy_buf.c proxy_end.c proxy_response.c)
PROXY_OBJS := $(PROXY_SRCS:%.c=$(B)/%.o)

PROXY_INC  := -I/usr/share/include/llhttp
PROXY_LIB  := $(B)/llhttp/libllhttp.a

PROXY_UNIT := $(B)/t/unit/proxy_timer $(B)/t/unit/proxy_body \
              $(B)/t/unit/proxy_head $(B)/t/unit/proxy_buf
UNIT_TESTS += $(PROXY_UNIT)

PROXY_TEST_OBJS := $(patsubst $(B)/t/unit/%,$(B)/t/unit/%.o,$(PROXY_UNIT)) \
              $(B)/t/unit/proxy_host.o

$(PROXY_OBJS) $(PROXY_TEST_OBJS): CFLAGS += $(PROXY_INC)

$(B)/t/unit/proxy_timer: $(B)/t/unit/proxy_timer.o $(B)/agent/proxy_timer.o
	$(CC) $(LDFLAGS) -o $@ $^

$(B)/t/unit/proxy_body: $(B)/t/unit/proxy_body.o $(B)/agent/proxy_body.o
	$(CC) $(LDFLAGS) -o $@ $^

$(B)/t/unit/proxy_head: $(B)/t/unit/proxy_head.o $(B)/agent/proxy_head.o \
                        $(B)/agent/proxy_rewrite.o \
                        $(PROXY_LIB)
	$(CC) $(LDFLAGS) -o $@ $^

$(B)/t/unit/proxy_buf: $(B)/t/unit/proxy_buf.o $(B)/agent/proxy_buf.o \
                       $(B)/agent/proxy_timer.o
	$(CC) $(LDFLAGS) -o $@ $^

# Not a test: the proxy alone, driven over standard input, for t/agent/proxy*.t
# and bench/proxy.
PROXY_HOST := $(B)/t/unit/proxy_host

$(PROXY_HOST): $(B)/t/unit/proxy_host.o $(PROXY_OBJS) $(B)/agent/log.o \
               $(B)/agent/loop.o $(B)/contract/libfcf.a $(PROXY_LIB)
	$(CC) $(LDFLAGS) -o $@ $^ -luv

tests-built: $(PROXY_HOST)
PROVE_FILES += t/agent/proxy.t t/agent/proxy_guest.t t/agent/proxy_life.t \
               t/agent/proxy_chaos.t
