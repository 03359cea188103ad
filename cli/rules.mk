# fcfaas, the command people type.

CLI_OBJS := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard cli/*.c)))
CLI_BIN  := $(B)/cli/fcfaas
CLI_LIBS := -lcurl -lhiredis -ljansson -larchive -lnettle

TARGETS     += $(CLI_BIN)
PROVE_FILES += $(sort $(wildcard t/cli/*.t))

$(CLI_BIN): $(CLI_OBJS) $(B)/contract/libfcf.a
	$(CC) -o $@ $^ $(LDFLAGS) $(CLI_LIBS)

# manual pages: "@deploy" and the like are what the command says of itself
CLI_MAN := $(patsubst %.in,$(B)/%,$(sort $(wildcard cli/man/*.in)))
TARGETS += $(CLI_MAN)

$(CLI_MAN): $(B)/%: %.in $(CLI_BIN)
	@mkdir -p $(@D)
	awk '!/^@/ { print; next } \
	    { command = "$(CLI_BIN) mdoc " substr($$0, 2); \
	      while ((command | getline line) > 0) print line; \
	      if (close(command) != 0) exit 1 }' $< > $@.new
	mv $@.new $@

CLI_TESTS  := $(patsubst %.c,$(B)/%,$(sort $(wildcard t/unit/cli_*.c)))
UNIT_TESTS += $(CLI_TESTS)

$(CLI_TESTS): $(B)/t/unit/cli_%: $(B)/t/unit/cli_%.o $(B)/cli/%.o
	$(CC) -o $@ $^ $(LDFLAGS)
