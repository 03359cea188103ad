# What runs inside the guests.  It is built static and optimised whatever V
# says, into build/vm; the same bytes wherever the tree lies.

VM := build/vm

GUEST_CC     := gcc
GUEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. $(WARN) -O2 -g
GUEST_CFLAGS += -ffile-prefix-map=$(CURDIR)=.
GUEST_LD     := $(GUEST_CC) -static -Wl,--build-id=none
GUEST_OBJ    := $(VM)/obj

INIT_SRCS := $(sort $(wildcard vm/init/*.c)) contract/fcf_err.c \
             contract/fcf_base64.c contract/fcf_mac.c contract/fcf_text.c
INIT_OBJS := $(INIT_SRCS:%.c=$(GUEST_OBJ)/%.o)

# those that tests boot by themselves; all others are deployed
FUNCTIONS := echo hello

GUEST_IMAGES := $(VM)/initramfs.img $(VM)/initramfs-small.img \
                $(VM)/runtimes/base.img \
                $(FUNCTIONS:%=$(VM)/functions/%.img)

TARGETS += $(VM)/vmlinux $(GUEST_IMAGES)

# what t/agent/isolation.t lets run in a guest beside init, and t/agent/wild.t
# as a function
$(B)/t/unit/guest_raw $(B)/t/unit/guest_wild: $(B)/t/unit/%: t/unit/%.c
	@mkdir -p $(@D)
	$(GUEST_LD) $(GUEST_CFLAGS) -o $@ $<

TARGETS += $(B)/t/unit/guest_raw $(B)/t/unit/guest_wild

INIT_TESTS := $(addprefix $(B)/t/unit/,init_frame init_config init_output \
              init_listen init_hook)
UNIT_TESTS += $(INIT_TESTS)
PROVE_FILES += t/agent/guest.t t/agent/runtimes.t

.PHONY: guest
guest: $(VM)/vmlinux $(GUEST_IMAGES)

$(GUEST_OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

# kernel

$(VM)/version: vm/kernel/fetch vm/kernel/vmlinux vm/kernel/modules
	@mkdir -p $(VM)
	vm/kernel/fetch $(VM)
	@touch $@

$(VM)/vmlinux: $(VM)/version
	vm/kernel/fetch $(VM)
	@touch $@

# a small one for boot speed, by hand: make -C vm kernel.  Always asked of the
# script, which knows what has been built before.

.PHONY: kernel
kernel: $(VM)/initramfs-small.img
	@mkdir -p $(VM)
	vm/kernel/build $(VM)/kernels $(VM)/vmlinux-small

# init

$(VM)/init: $(INIT_OBJS) vm/rules.mk
	$(GUEST_LD) -o $@ $(INIT_OBJS) -ljansson
	strip $@

$(VM)/initramfs.img: $(VM)/init $(VM)/version vm/init/pack
	vm/init/pack $(VM)/init $(VM)/modules $@

# for a kernel that has all it needs inside
$(VM)/initramfs-small.img: $(VM)/init vm/init/pack
	vm/init/pack $(VM)/init '' $@

# runtimes and functions

# base always, any other when it is asked for: make -C vm runtimes, or make
# build/vm/runtimes/NAME.img

RUNTIMES := $(patsubst vm/runtimes/%/packages,%,\
                       $(wildcard vm/runtimes/*/packages))

.PHONY: runtimes
runtimes: $(RUNTIMES:%=$(VM)/runtimes/%.img)

# what an image is made of: its own files and those of the runtime it is like
layer_files = $(shell find vm/runtimes/$(1) -type f)
runtime_files = $(call layer_files,$(1)) $(foreach like,\
    $(shell cat vm/runtimes/$(1)/like 2>/dev/null),$(call layer_files,$(like)))

define runtime_rule
$(VM)/runtimes/$(1).img: vm/runtimes/build vm/mkimage \
    $(call runtime_files,$(1))
	vm/runtimes/build $(1) $$@
endef

$(foreach name,$(RUNTIMES),$(eval $(call runtime_rule,$(name))))

# what is wanted where functions become images, beside the runtime's image:
# which files it starts, and what prepares code

runtime_part = $(firstword $(wildcard vm/runtimes/$(1)/$(2) \
    $(foreach like,$(shell cat vm/runtimes/$(1)/like 2>/dev/null),\
    vm/runtimes/$(like)/$(2))))

define runtime_part_rule
$(VM)/runtimes/$(1).$(2): $(call runtime_part,$(1),$(2))
	@mkdir -p $$(@D)
	cp $$< $$@

$(VM)/runtimes/$(1).img: | $(VM)/runtimes/$(1).$(2)

TARGETS += $(VM)/runtimes/$(1).$(2)
endef

$(foreach name,$(RUNTIMES),$(foreach part,entries prepare,\
    $(if $(call runtime_part,$(name),$(part)),\
    $(eval $(call runtime_part_rule,$(name),$(part))))))

$(VM)/functions/hello.img: $(wildcard vm/functions/hello/*)
	@mkdir -p $(@D)
	vm/mkfunction vm/functions/hello $@

ECHO_SRCS := vm/functions/echo/main.c vm/functions/echo/conn.c \
             contract/fcf_buf.c
ECHO_OBJS := $(ECHO_SRCS:%.c=$(GUEST_OBJ)/%.o) \
             $(addprefix $(GUEST_OBJ)/llhttp/,api.o http.o llhttp.o)

$(GUEST_OBJ)/vm/functions/echo/conn.o: \
    GUEST_CFLAGS += -I/usr/share/include/llhttp

$(GUEST_OBJ)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(GUEST_CC) -std=gnu11 -O2 -I/usr/share/include/llhttp -c -o $@ $<

$(VM)/functions/echo/bootstrap: $(ECHO_OBJS) vm/rules.mk
	@mkdir -p $(@D)
	$(GUEST_LD) -o $@ $(ECHO_OBJS)
	strip $@

$(VM)/functions/echo.img: $(VM)/functions/echo/bootstrap
	vm/mkfunction $(VM)/functions/echo $@

$(VM)/functions/hello.img $(VM)/functions/echo.img: vm/mkfunction vm/mkimage

include $(wildcard vm/*/rules.mk)

# what t/agent/cgroup.t runs as process 1 of a guest, whose kernel has cgroups
# of version 2 whatever the host has

CGROUP_OBJS := $(addprefix $(GUEST_OBJ)/,t/unit/cgroup_host.o \
               $(patsubst %.c,%.o,$(wildcard agent/vmm/vmm_cgroup*.c)) \
               agent/base/bounds.o contract/fcf_err.o contract/fcf_text.o)

$(VM)/cgroup_guest: $(CGROUP_OBJS)
	$(GUEST_LD) -o $@ $^

TARGETS += $(VM)/cgroup_guest

# unit tests

INIT_ERR := $(B)/contract/fcf_err.o $(B)/contract/fcf_text.o

$(B)/t/unit/init_frame: $(B)/vm/init/frame.o $(INIT_ERR)
$(B)/t/unit/init_config: $(B)/vm/init/config.o $(B)/vm/init/frame.o \
    $(B)/contract/fcf_mac.o $(INIT_ERR)
$(B)/t/unit/init_hook: $(B)/vm/init/hook.o $(INIT_ERR)
$(B)/t/unit/init_output: $(B)/vm/init/output.o
$(B)/t/unit/init_listen: $(B)/vm/init/listen.o $(B)/vm/init/oom.o

$(INIT_TESTS): $(B)/t/unit/%: $(B)/t/unit/%.o
	$(CC) $(LDFLAGS) -o $@ $^ -ljansson

-include $(shell test -d $(GUEST_OBJ) && find $(GUEST_OBJ) -name '*.d')
