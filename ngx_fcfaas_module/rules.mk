# The nginx module.  "make nginx" builds what V calls for:
#   release  build/nginx/ngx_http_fcfaas_module.so, for Debian's nginx; with
#            NGINX_SRC=directory for the nginx whose source lies there
#   asan     build/nginx-asan/nginx, with the module in it
#   clang    build/nginx-clang/, objects only, to see that clang takes them;
#            build/nginx-plain/, the same by gcc without debug log and TLS

NGX_SRCS := config ngx_fcfaas_module/build ngx_fcfaas_module/exports.map \
            $(wildcard contract/*.[ch] client/*.[ch]) \
            $(wildcard ngx_fcfaas_module/*.[ch]) \
            $(wildcard ngx_fcfaas_module/zone/*.[ch]) \
            $(wildcard ngx_fcfaas_module/state/*.[ch]) \
            $(wildcard ngx_fcfaas_module/path/*.[ch])

NGX_release := build/nginx/ngx_http_fcfaas_module.so
NGX_asan    := build/nginx-asan/nginx
NGX_clang   := build/nginx-clang/obj/ngx_http_fcfaas_module.so \
               build/nginx-plain/obj/ngx_http_fcfaas_module.so

TARGETS += $(NGX_$(V))

.PHONY: nginx
nginx: $(NGX_$(V))

# built anew where another source was taken before
NGX_OUT_release := build/nginx
NGX_OUT_asan    := build/nginx-asan

ifneq ($(NGINX_SRC),$(shell cat $(NGX_OUT_$(V))/source 2>/dev/null))
.PHONY: $(NGX_$(V))
endif

$(NGX_release): $(NGX_SRCS)
	ngx_fcfaas_module/build dynamic build/nginx

$(NGX_asan): $(NGX_SRCS)
	ngx_fcfaas_module/build asan build/nginx-asan

build/nginx-%/obj/ngx_http_fcfaas_module.so: $(NGX_SRCS)
	ngx_fcfaas_module/build $* build/nginx-$*
	@touch $@

# The zone is plain C, and is tested without nginx.

ZONE_OBJS  := $(patsubst %.c,$(B)/%.o,\
    $(sort $(wildcard ngx_fcfaas_module/zone/*.c)))
ZONE_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard t/unit/zone_*.c)))
UNIT_TESTS += $(ZONE_TESTS)

$(ZONE_TESTS): $(B)/t/unit/%: $(B)/t/unit/%.o $(ZONE_OBJS)
	$(CC) -o $@ $^ $(LDFLAGS)

$(B)/bench/zone_lock: $(B)/bench/zone_lock.o $(ZONE_OBJS)
	$(CC) -o $@ $^ $(LDFLAGS)

$(B)/bench/turn_time.so: bench/turn_time.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fPIC -shared -o $@ $<

# The pick is tested without nginx too; its steps are counted.

PICK_TEST    := $(B)/t/unit/gateway_pick
UNIT_TESTS   += $(PICK_TEST)
PICK_INCLUDE := -It/unit/nginx -I/usr/share/nginx/src/src/core

$(PICK_TEST).o: CFLAGS += $(PICK_INCLUDE)

$(PICK_TEST)_counted/%.o: ngx_fcfaas_module/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PICK_INCLUDE) -fsanitize-coverage=trace-pc -MMD -MP \
	    -c -o $@ $<

$(PICK_TEST): $(PICK_TEST).o \
    $(PICK_TEST)_counted/ngx_http_fcfaas_pick.o \
    $(PICK_TEST)_counted/ngx_http_fcfaas_pick_next.o
	$(CC) -o $@ $^ $(LDFLAGS)

# So is the state file.

STATE_OBJS  := $(patsubst %.c,$(B)/%.o,\
    $(sort $(wildcard ngx_fcfaas_module/state/*.c)))
STATE_TESTS := $(patsubst %.c,$(B)/%,$(sort $(wildcard t/unit/state_*.c)))
UNIT_TESTS  += $(STATE_TESTS)

$(STATE_TESTS): $(B)/t/unit/%: $(B)/t/unit/%.o $(STATE_OBJS) \
    $(B)/contract/libfcf.a
	$(CC) -o $@ $^ $(LDFLAGS) -ljansson
