# fcfaas, the command people type.

CLI_OBJS := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard cli/*.c)))
CLI_BIN  := $(B)/cli/fcfaas
CLI_LIBS := -lcurl -lhiredis -ljansson -larchive -lnettle

TARGETS     += $(CLI_BIN)
PROVE_FILES += $(sort $(wildcard t/cli/*.t))

$(CLI_BIN): $(CLI_OBJS) $(B)/contract/libfcf.a
	$(CC) -o $@ $^ $(LDFLAGS) $(CLI_LIBS)

CLI_TESTS  := $(patsubst %.c,$(B)/%,$(sort $(wildcard t/unit/cli_*.c)))
UNIT_TESTS += $(CLI_TESTS)

$(CLI_TESTS): $(B)/t/unit/cli_%: $(B)/t/unit/cli_%.o $(B)/cli/%.o
	$(CC) -o $@ $^ $(LDFLAGS)
