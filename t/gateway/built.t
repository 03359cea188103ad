# The module built for another nginx than Debian's: what its signature does not
# tell is taken from that nginx.  Its configure and make are stand-ins, which
# note with what they are called.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $dir = tmpdir();

sub program {
    my ($file, $text) = @_;
    chmod 0755, spew("$dir/$file", "#!/bin/sh\n$text");
}

mkdir "$dir/$_" for 'src', 'src/src', 'src/src/core';
spew("$dir/src/src/core/nginx.h", qq{#define NGINX_VERSION      "1.31.9"\n});
program('src/configure', <<'EOC');
for a; do
    case $a in --builddir=*) dir=${a#*=} ;; esac
done
mkdir -p "$dir"
printf '%s\n' "$@" > "$dir/asked"
printf 'modules:\n\ttouch %s/ngx_http_fcfaas_module.so\n' "$dir" \
    > "$dir/Makefile"
EOC

my $count = 0;

# (exit status, what it said, what configure was asked for)
sub built {
    my (@options) = @_;
    my $out = "$dir/" . ++$count;

    program('nginx', <<"    EOC");
        echo 'nginx version: nginx/1.31.9' >&2
        echo 'configure arguments: @options' >&2
    EOC

    my $proc = FcfTest::Proc->spawn(name => "build-$count",
        argv => [root() . '/ngx_fcfaas_module/build', 'dynamic', $out],
        env => { NGINX_SRC => "$dir/src", NGINX => "$dir/nginx" });
    my $status = $proc->wait(60);

    return ($status, $proc->output,
        { map { $_ => 1 } split /\n/, -e "$out/obj/asked"
            ? slurp("$out/obj/asked") : '' });
}

my @same = qw(--with-debug --with-http_ssl_module);

for my $with ([], [$same[0]], [$same[1]], \@same) {
    my ($status, $said, $asked) = built('--prefix=/x', '--with-compat', @$with);
    is($status, 0, "built: @$with") or diag($said);
    is(join(' ', grep { $asked->{$_} } @same), "@$with", 'as that nginx is');
    ok($asked->{'--with-compat'}, 'to be loaded');
}

my (undef, undef, $asked) = built('--with-compat', '--with-debug-x',
    '--with-http_ssl_module_y');
is(join(' ', grep { $asked->{$_} } @same), '', 'not what is only named alike');

my ($status, $said) = built(@same);
isnt($status, 0, 'without --with-compat: not built');
like($said, qr/was built without --with-compat/, 'and it is said');

done_testing;
