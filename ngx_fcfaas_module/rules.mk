# The nginx module.  "make nginx" builds what V calls for:
#   release  build/nginx/ngx_http_fcfaas_module.so, for Debian's nginx
#   asan     build/nginx-asan/nginx, with the module in it
#   clang    build/nginx-clang/, objects only, to see that clang takes them

NGX_SRCS := config ngx_fcfaas_module/build \
            $(wildcard contract/*.[ch] client/*.[ch]) \
            $(wildcard ngx_fcfaas_module/*.[ch])

NGX_release := build/nginx/ngx_http_fcfaas_module.so
NGX_asan    := build/nginx-asan/nginx
NGX_clang   := build/nginx-clang/obj/ngx_http_fcfaas_module.so

TARGETS += $(NGX_$(V))

.PHONY: nginx
nginx: $(NGX_$(V))

$(NGX_release): $(NGX_SRCS)
	ngx_fcfaas_module/build dynamic build/nginx

$(NGX_asan): $(NGX_SRCS)
	ngx_fcfaas_module/build asan build/nginx-asan

$(NGX_clang): $(NGX_SRCS)
	ngx_fcfaas_module/build clang build/nginx-clang
	@touch $@
