# $fcfaas_uri: the rest of the client's own request line, undecoded.

BEGIN { push @INC, 't/lib'; }

use Test::Nginx::Socket 'no_plan';
use FcfSuite;

no_root_location();
no_shuffle();

our $config = <<'EOC';
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

our $agent = <<'EOC';
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { return 200 "$request_method $request_uri\n"; }
    }
EOC

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $config) unless defined $block->config;
    $block->set_value('http_config', ($block->http_config // '') . $agent)
        unless ($block->http_config // '') =~ /TEST_NGINX_AGENT;/;
    etcd_default($block, 'spec("echo"); instance("echo");');
});

run_tests();

__DATA__

=== TEST 1: escapes, a question mark among them, stay as they are
--- request
GET /run/echo/a%20b%3Fc/%25?x=1
--- response_body
GET /a%20b%3Fc/%25?x=1


=== TEST 2: nothing behind the name
--- request
GET /run/echo
--- response_body
GET /


=== TEST 3: only arguments behind the name
--- request
GET /run/echo?x=1&y=%20
--- response_body
GET /?x=1&y=%20


=== TEST 4: only a slash
--- request
GET /run/echo/
--- response_body
GET /


=== TEST 5: an escaped CR and LF stay escaped
--- request
GET /run/echo/x%20HTTP/1.1%0d%0aFoo:bar
--- response_body
GET /x%20HTTP/1.1%0d%0aFoo:bar


=== TEST 6: slashes and dots in the rest are the function's business
--- request
GET /run/echo/a//b/./c
--- response_body
GET /a//b/./c


=== TEST 7: an escaped letter in the name
--- request
GET /run/%65cho/x
--- response_body
GET /x


=== TEST 8: an absolute request line
--- raw_request eval
"GET http://localhost/run/echo/abs?q HTTP/1.1\r\nHost: localhost\r\n"
. "Connection: close\r\n\r\n"
--- response_body
GET /abs?q


=== TEST 9: an empty query
--- request
GET /run/echo/x?
--- response_body
GET /x?


=== TEST 10: a rewritten request has the rest of its new URI
--- config
    location /short {
        rewrite ^/short/(.*)$ /run/echo/$1 last;
    }

    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /short/y%20z%3F?z=1
--- response_body
GET /y%20z%3F?z=1


=== TEST 11: a CR in the request line never reaches the function
--- raw_request eval
"GET /run/echo/x\rFoo:bar HTTP/1.1\r\nHost: localhost\r\n"
. "Connection: close\r\n\r\n"
--- error_code: 400


=== TEST 12: a method other than GET
--- request
DELETE /run/echo/thing?id=1
--- response_body
DELETE /thing?id=1


=== TEST 13: a segment that reads like the function's name is not its name
--- config
    location /admin/ { deny all; }
    location / {
        fcfaas echo;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /x/echo/admin/users", "GET /echo/admin/users", "GET /admin/users",
 "GET /x/../admin/users", "GET /echo"]
--- error_code eval
[200, 200, 403, 403, 200]
--- response_body_like eval
["^GET /x/echo/admin/users\$", "^GET /echo/admin/users\$", "Forbidden",
 "Forbidden", "^GET /echo\$"]


=== TEST 14: of two captures alike, the one that is the id
--- config
    location ~ ^/(?<tenant>[^/]+)/(?<fn>[^/]+) {
        fcfaas $fn;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /echo/echo/x", "GET /echo/%65cho/echo/%20", "GET //echo//echo?y"]
--- response_body eval
["GET /x\n", "GET /echo/%20\n", "GET /?y\n"]


=== TEST 15: a capture by another regular expression takes nothing away
--- config
    location / {
        if ($uri ~ ^/some/(?<fn>[^/]+)) { set $x 1; }
        fcfaas $fn;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /some/echo/x
--- response_body
GET /some/echo/x


=== TEST 16: what an "if" matched does not move the cut
--- config
    location ~ ^/run/([^/]+)/ {
        if ($args ~ ^(.*)(.*)$) { set $x 1; }
        if ($uri ~ "/(echo)/admin") { set $x 2; }
        fcfaas $1;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /run/echo/x/echo/admin/y
--- response_body
GET /x/echo/admin/y


=== TEST 17: as many segments as "strip" says
--- config
    location /one/ {
        fcfaas echo strip=1;
        proxy_pass http://functions$fcfaas_uri;
    }
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id strip=0;
        proxy_pass http://functions$fcfaas_uri;
    }
    location = /two {
        fcfaas echo strip=2;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /one/a%20b/c?d", "GET /one/", "GET /%6fne%2fa", "GET /run/echo/x",
 "GET /two?x"]
--- response_body eval
["GET /a%20b/c?d\n", "GET /\n", "GET /a\n", "GET /run/echo/x\n",
 "GET /?x\n"]


=== TEST 18: an escaped slash behind the name
--- request eval
["GET /run/echo%2fadmin", "GET /run/echo%2F", "GET /run/x/..%2fecho%2f%2e/y"]
--- response_body eval
["GET /admin\n", "GET /\n", "GET /%2e/y\n"]


=== TEST 19: a capture that ends inside a segment takes nothing away
--- config
    location ~ ^/(?<fn>[a-z]+) {
        fcfaas $fn;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /echo-admin/x", "GET /echo/x"]
--- response_body eval
["GET /echo-admin/x\n", "GET /x\n"]


=== TEST 20: error_page, a named location, try_files
--- config
    location = /missing {
        error_page 404 "/run/echo/not found?code=404";
        return 404;
    }
    location /named/ {
        error_page 404 = @fallback;
        return 404;
    }
    location /tried/ {
        try_files /no/such/file /run/echo/tried?x=1;
    }
    location @fallback {
        fcfaas echo;
        proxy_pass http://functions$fcfaas_uri;
    }
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /missing", "GET /named/a%20b?c", "GET /tried/y"]
--- response_body eval
["GET /not%20found?code=404\n", "GET /named/a%20b?c\n", "GET /tried?x=1\n"]
--- error_code eval
[404, 200, 200]


=== TEST 21: "rewrite ... break": the changed URI, of which nothing goes
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        rewrite ^/run/[^/]+/old/(.*)$ /new/$1 break;
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /run/echo/old/a%20b?c=%20", "GET /run/echo/x"]
--- response_body eval
["GET /new/a%20b?c=%20\n", "GET /x\n"]


=== TEST 22: changed arguments, with nothing that ends a request line
--- config
    location ~ (?s)^/run/(?<function_id>[^/]+)/(?<rest>.*)$ {
        set $args "a=$rest";
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request
GET /run/echo/x%20HTTP%2f1.1%0d%0aFoo:bar%23
--- response_body
GET /x%20HTTP/1.1%0D%0AFoo:bar%23?a=x%20HTTP/1.1%0D%0AFoo:bar%23


=== TEST 23: dots that came by a rewrite are not passed on
--- config
    location ~ ^/run/echo/admin { deny all; }
    location /by { rewrite ^ /run/echo/$arg_p last; }
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /by?p=x", "GET /by?p=x/../admin", "GET /by?p=x/%2e%2e/admin"]
--- error_code eval
[200, 400, 200]
--- response_body_like eval
["^GET /x[?]p=x\$", '"error":"bad_path"',
 "^GET /x/%252e%252e/admin[?]p=x/%2e%2e/admin\$"]


=== TEST 24: a value given to the capture's variable is the id
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        set $function_id echo;
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /run/other/x", "GET /run/echo/x"]
--- response_body eval
["GET /run/other/x\n", "GET /x\n"]


=== TEST 25: an "if" in the location has the location's captures
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;

        if ($arg_x) {
            fcfaas echo;
            proxy_pass http://functions$fcfaas_uri;
        }
        if ($arg_y) {
            proxy_pass http://functions$fcfaas_uri;
        }

        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /run/echo/x?x=1", "GET /run/echo/x?y=1", "GET /run/echo/x?z=1"]
--- response_body eval
["GET /run/echo/x?x=1\n", "GET /x?y=1\n", "GET /x?z=1\n"]


=== TEST 26: "limit_except" has the location's captures, and refuses
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
        limit_except GET { allow 127.0.0.1; deny all; }
    }
    location ~ ^/read/(?<fn>[^/]+) {
        fcfaas $fn;
        proxy_pass http://functions$fcfaas_uri;
        limit_except GET { deny all; }
    }
--- request eval
["GET /run/echo/x%2fy", "PUT /run/echo/x%2fy", "GET /read/echo/z",
 "PUT /read/echo/z"]
--- error_code eval
[200, 200, 200, 403]
--- response_body_like eval
["^GET /x%2fy\$", "^PUT /x%2fy\$", "^GET /z\$", "Forbidden"]


=== TEST 27: locations in a location with a regular expression
--- config
    location ~ ^/run/(?<fn>[^/]+) {
        fcfaas $fn;
        proxy_pass http://functions$fcfaas_uri;

        location ~ /admin(/|$) { deny all; }

        location ~ ^/run/(?<tenant>[^/]+)/of/(?<inner>[^/]+) {
            fcfaas $inner;
            proxy_pass http://functions$fcfaas_uri;
        }

        location ~ /upload$ {
            proxy_pass http://functions$fcfaas_uri;
        }
    }
--- request eval
["GET /run/echo/x", "GET /run/echo/admin", "GET /run/echo%2f%61dmin/x",
 "GET /run/echo/x/..//admin", "GET /run/other/of/echo/y%20",
 "GET /run/echo/a/upload"]
--- error_code eval
[200, 403, 403, 403, 200, 200]
--- response_body_like eval
["^GET /x\$", "Forbidden", "Forbidden", "Forbidden", "^GET /y%20\$",
 "^GET /a/upload\$"]


=== TEST 28: from one function to another, by a rewrite and by error_page
--- config
    location ~ ^/old/(?<fn>[^/]+) {
        rewrite ^/old/[^/]+(/.*)$ /run/echo$1 last;
        fcfaas $fn;
        proxy_pass http://functions$fcfaas_uri;
    }
    location ~ ^/try/(?<fn>[^/]+) {
        fcfaas $fn;
        proxy_intercept_errors on;
        error_page 404 500 = /run/echo/instead?x=1;
        proxy_pass http://functions$fcfaas_uri;
    }
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_AGENT;
        location / { return 200 "$http_x_fcfaas_function $request_uri\n"; }
        location /fails { return 500; }
    }
--- etcd
spec("echo"); instance("echo"); spec("other");
instance("other", worker => "n1-2");
--- request eval
["GET /old/other/a%20b", "GET /try/other/fails", "GET /try/nobody/x",
 "GET /try/other/y%2f"]
--- response_body eval
["echo /a%20b\n", "echo /instead?x=1\n", "echo /instead?x=1\n",
 "other /y%2f\n"]


=== TEST 29: a fragment is nobody's, and a bare question mark stays
--- raw_request eval
[map { "GET /run/echo$_ HTTP/1.0\r\n\r\n" }
     "/x#y", "#y", "/x?a=1#y", "?#y", "/x#y?a", "?", "/?"]
--- response_body eval
["GET /x\n", "GET /\n", "GET /x?a=1\n", "GET /?\n", "GET /x\n", "GET /?\n",
 "GET /?\n"]


=== TEST 30: arguments that were changed, behind a path that was not
--- config
    location ~ ^/run/(?<function_id>[^/]+) {
        if ($arg_to) {
            set $args $arg_to;
        }
        if ($arg_none) {
            set $args "";
        }
        if ($args = "") {
            set $args $http_x_args;
        }
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
--- more_headers
X-Args: from=header
--- request eval
["GET /run/echo/x?to=a%23b", "GET /run/echo/x?none=1", "GET /run/echo/x",
 "GET /run/echo?none=1", "GET /run/echo", "GET /run/echo/x?same=1"]
--- response_body eval
["GET /x?a%23b\n", "GET /x?from=header\n", "GET /x?from=header\n",
 "GET /?from=header\n", "GET /?from=header\n", "GET /x?same=1\n"]


=== TEST 31: a capture that may be of nothing is no name then
--- config
    location ~ ^/run/(?<function_id>[^/]*) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
    location ~ ^/may/?(?<maybe>[^/]+)? {
        fcfaas ${maybe};
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /run/", "GET /may", "GET /run/echo/x", "GET /may/echo/x"]
--- error_code eval
[400, 400, 200, 200]
--- response_body_like eval
['"error":"bad_name"', '"error":"bad_name"', "^GET /x\$", "^GET /x\$"]


=== TEST 32: the segment behind a prefix
--- config
    location /run/ {
        fcfaas;
        proxy_pass http://functions$fcfaas_uri;
        location /run/other/ {
            proxy_pass http://functions$fcfaas_uri;
        }
        location /run/deep/ {
            fcfaas;
            proxy_pass http://functions$fcfaas_uri;
        }
    }
--- etcd
spec("echo"); instance("echo"); spec("other");
instance("other", worker => "n1-2");
--- request eval
["GET /run/echo", "GET /run/echo/", "GET /run/echo?x=%20",
 "GET /run/echo/a%20b%3Fc/%25?x=1", "GET /run/%65cho/a", "GET //run/./echo//a",
 "GET /run/x/../echo%2fa", "GET /run/other/x", "GET /run/deep/echo/x"]
--- response_body eval
["GET /\n", "GET /\n", "GET /?x=%20\n", "GET /a%20b%3Fc/%25?x=1\n",
 "GET /a\n", "GET //a\n", "GET /a\n", "GET /x\n", "GET /x\n"]


=== TEST 33: nothing behind a prefix, or no name
--- config
    location /run/ {
        fcfaas;
        proxy_pass http://functions$fcfaas_uri;
    }
--- request eval
["GET /run/", "GET /run/?x", "GET /run/-a/", "GET /run/echo%2f%2fx",
 "GET /run/a%20b", "GET /run/nobody/x"]
--- error_code eval
[400, 400, 400, 200, 400, 404]
--- response_body_like eval
[('"error":"bad_name"') x 3, "^GET /%2fx\$", '"error":"bad_name"',
 '"error":"unknown_function"']


=== TEST 34: a prefix, and paths that were changed
--- config
    location /run/ {
        if ($arg_to) {
            rewrite ^ /run/$arg_to/y? break;
        }
        rewrite ^/run/old/(.*)$ /run/echo/$1 break;
        rewrite ^/run/away/(.*)$ /elsewhere/$1 break;
        fcfaas;
        proxy_pass http://functions$fcfaas_uri;
    }
    location /by/ {
        rewrite ^/by(/.*)$ $1 last;
    }
--- request eval
["GET /run/old/a%20b", "GET /by/run/echo/a%20b", "GET /run/x?to=echo",
 "GET /run/away/echo"]
--- error_code eval
[200, 200, 200, 400]
--- response_body_like eval
["^GET /a%20b\$", "^GET /a%20b\$", "^GET /y\$", '"error":"bad_name"']
