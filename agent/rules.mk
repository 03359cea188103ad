include agent/host.mk
include agent/proxy.mk
