# libFuzzer targets: t/fuzz/<name>.c, its inputs in t/fuzz/corpus/<name>/, and
# a line here (or in any rules.mk) that says what it is linked with.  They are
# built by "make V=fuzz fuzz-targets", all objects with clang's sanitizers.
#
#   make fuzz                           each for FUZZ_SECONDS (60)
#   make fuzz FUZZ=proxy_head           only that
#
# What make fuzz finds anew it keeps in build/fuzz/corpus/<name>/, and a crash
# as build/fuzz/crash-*: that goes into the corpus, with the mend.  make test
# runs each over its corpus and some thousand inputs more (t/fuzz/fuzz.t).

FUZZ_HTTP := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard agent/proxy/http/*.c))) \
             $(B)/llhttp/libllhttp.a

FUZZ_WIRE := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard agent/wire/*.c)) \
             agent/base/log.c t/unit/fake_loop.c) $(B)/contract/libfcf.a
FUZZ_wire_agent := $(patsubst %.c,$(B)/%.o,$(sort \
             $(wildcard agent/route/*.c))) $(FUZZ_WIRE)
FUZZ_wire_proxy := $(patsubst %.c,$(B)/%.o,$(sort \
             $(wildcard agent/proxy/control*.c))) $(FUZZ_WIRE)

FUZZ_proxy_head  := $(FUZZ_HTTP)
FUZZ_proxy_body  := $(FUZZ_HTTP)
FUZZ_proxy_agree := $(FUZZ_HTTP)

FUZZ_FCF := $(B)/contract/libfcf.a

FUZZ_contract_values := $(FUZZ_FCF)
FUZZ_contract_bytes  := $(FUZZ_FCF)
FUZZ_contract_names  := $(FUZZ_FCF)
FUZZ_etcd_reply      := $(FUZZ_FCF)
FUZZ_etcd_watch      := $(FUZZ_FCF)
FUZZ_vmm_answer      := $(B)/agent/vmm/vmm_answer.o $(FUZZ_FCF)
FUZZ_oci_config      := $(B)/cli/oci_config.o $(FUZZ_FCF)
FUZZ_oci_members     := $(B)/cli/member.o $(B)/cli/inode.o $(B)/cli/entry_name.o $(FUZZ_FCF)
FUZZ_image_program   := $(B)/vm/init/program.o $(FUZZ_FCF)
FUZZ_state_file      := $(B)/ngx_fcfaas_module/state/fcs_state.o $(FUZZ_FCF)

# nginx's own parser of request lines, of the source that V=asan is built from
FUZZ_NGINX_SRC := $(or $(NGINX_SRC),build/nginx-asan/src)/src
FUZZ_NGINX := $(B)/t/fuzz/nginx/read_uri.o $(B)/t/fuzz/nginx/parse.o
FUZZ_path_cut := $(B)/ngx_fcfaas_module/path/fcp_path.o $(FUZZ_NGINX)

$(FUZZ_NGINX): CFLAGS += -Ibuild/nginx-asan/obj -w -fno-sanitize=alignment \
    $(patsubst %,-I$(FUZZ_NGINX_SRC)/%,core event event/modules os/unix http \
    http/modules http/v2)
$(FUZZ_NGINX): | $(NGX_asan)

$(B)/t/fuzz/nginx/parse.o:
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $(FUZZ_NGINX_SRC)/http/ngx_http_parse.c

FUZZ_NAMES   := $(patsubst t/fuzz/%.c,%,$(sort $(wildcard t/fuzz/*.c)))
FUZZ         ?= $(FUZZ_NAMES)
FUZZ_SECONDS ?= 60
FUZZ_BINS    := $(FUZZ_NAMES:%=$(B)/t/fuzz/%)
FUZZ_LIBS    := -Wl,--as-needed -ljansson -lcurl -lhiredis -luv

PROVE_FILES += t/fuzz/fuzz.t

.PHONY: fuzz fuzz-targets fuzz-run
fuzz:
	$(MAKE) --no-print-directory V=fuzz fuzz-run

fuzz-targets: $(FUZZ_BINS)

fuzz-run: $(FUZZ:%=$(B)/t/fuzz/%)
	@set -e; for name in $(FUZZ); do \
	    mkdir -p $(B)/corpus/$$name; \
	    echo "== $$name: $(FUZZ_SECONDS) s"; \
	    $(B)/t/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) \
	        -max_len=8192 -artifact_prefix=$(B)/ -print_final_stats=1 \
	        $(B)/corpus/$$name t/fuzz/corpus/$$name; \
	done

$(FUZZ_BINS:%=%.o): CFLAGS += $(AGENT_INC)

.SECONDEXPANSION:
$(FUZZ_BINS): $(B)/t/fuzz/%: $(B)/t/fuzz/%.o $$(FUZZ_$$*)
	$(CC) -fsanitize=fuzzer -o $@ $^ $(LDFLAGS) $(FUZZ_LIBS)
