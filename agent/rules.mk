include agent/host.mk
