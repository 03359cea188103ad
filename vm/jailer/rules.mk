# The stand-in for Firecracker's jailer.

JAILER_OBJS := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard vm/jailer/*.c)))

$(JAILER_OBJS): CFLAGS += $(LLHTTP_INC)

$(B)/vm/jailer/fcfaas-jailer: $(JAILER_OBJS) $(B)/contract/fcf_err.o \
    $(B)/contract/fcf_text.o
	$(CC) $(LDFLAGS) -o $@ $^

TARGETS += $(B)/vm/jailer/fcfaas-jailer

# what t/agent/jailer.t jails: static, since a jail has no libraries
$(B)/t/unit/jail_probe: t/unit/jail_probe.c
	@mkdir -p $(@D)
	$(GUEST_CC) $(GUEST_CFLAGS) -static -o $@ $<

TARGETS += $(B)/t/unit/jail_probe
