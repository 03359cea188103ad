# The VMM stand-in.  llhttp comes as C sources in Debian's node-llhttp; the
# library made of them is linked by the agent's proxy too.

LLHTTP_SRC := /usr/share/llhttp
LLHTTP_INC := -I/usr/share/include/llhttp
LLHTTP_LIB := $(B)/llhttp/libllhttp.a

$(B)/llhttp/%.o: $(LLHTTP_SRC)/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(OPT_$(V)) $(LLHTTP_INC) -c -o $@ $<

$(LLHTTP_LIB): $(addprefix $(B)/llhttp/,api.o http.o llhttp.o)
	@rm -f $@
	ar rcs $@ $^

VMM_MODEL := schema schema_tables model model_nic model_out snapshot tap
VMM_MAIN  := main loop http http_conn api api_vm serial backend clocks qemu \
             qemu_ahead qemu_args qemu_config qemu_kernel qemu_spawn \
             qemu_snapshot qemu_words qmp instant \
             instant_net instant_tcp instant_http instant_conf \
             instant_control instant_clone
VMM_OBJS  := $(patsubst %,$(B)/vm/vmm/%.o,$(VMM_MODEL) $(VMM_MAIN)) \
             $(patsubst %,$(B)/vm/init/%.o,config frame output)

$(VMM_OBJS): CFLAGS += $(LLHTTP_INC)
$(B)/vm/vmm/instant_net.o $(B)/vm/vmm/instant_tcp.o: CFLAGS += -I/usr/include/lwip

$(B)/vm/vmm/fcfaas-vmm: $(VMM_OBJS) $(B)/contract/libfcf.a $(LLHTTP_LIB)
	$(CC) $(LDFLAGS) -Wl,--as-needed -o $@ $^ -l:libjansson.a -llwip

TARGETS += $(B)/vm/vmm/fcfaas-vmm

VMM_TEST := $(B)/contract/libfcf.a

VMM_API_TESTS := $(addprefix $(B)/t/unit/,vmm_api vmm_api_run vmm_every)

$(VMM_API_TESTS): %: %.o $(VMM_MODEL:%=$(B)/vm/vmm/%.o) \
                     $(B)/vm/vmm/api.o $(B)/vm/vmm/api_vm.o $(VMM_TEST)
$(B)/t/unit/vmm_conf: $(B)/t/unit/vmm_conf.o $(VMM_MODEL:%=$(B)/vm/vmm/%.o) \
                      $(B)/vm/vmm/instant_conf.o $(B)/vm/vmm/qemu_args.o \
                      $(B)/vm/vmm/qemu_kernel.o $(B)/vm/vmm/qemu_spawn.o \
                      $(B)/vm/vmm/serial.o $(B)/vm/vmm/loop.o \
                      $(VMM_TEST)

$(VMM_API_TESTS) $(B)/t/unit/vmm_conf:
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -ljansson

$(B)/t/unit/qemu_config: $(B)/t/unit/qemu_config.o \
                         $(B)/vm/vmm/qemu_config.o $(VMM_TEST)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -ljansson

UNIT_TESTS  += $(VMM_API_TESTS) $(B)/t/unit/vmm_conf $(B)/t/unit/qemu_config
PROVE_FILES += t/agent/standin.t t/agent/instant.t

# what a driver may say to it; no file of the host's is opened

FUZZ_vmm_request := $(patsubst %,$(B)/vm/vmm/%.o,$(VMM_MODEL) api api_vm http \
                    http_conn loop) $(VMM_TEST) $(LLHTTP_LIB)

$(B)/t/fuzz/vmm_request: LDFLAGS += -Wl,--wrap=open,--wrap=unlink
