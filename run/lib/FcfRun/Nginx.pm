package FcfRun::Nginx;

# Which nginx runs the gateway, and how it gets the module: for make run, the
# tests and the benches.
#
#   TEST_NGINX_BINARY        its program; default nginx
#   TEST_NGINX_LOAD_MODULES  modules to load, separated by spaces; default the
#                            one of make nginx, or none if the program has it
#                            built in

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);

our @EXPORT_OK = qw(nginx_binary nginx_module load_modules);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my %built_in;


sub nginx_binary { $ENV{TEST_NGINX_BINARY} || 'nginx' }
sub nginx_module { "$root/build/nginx/ngx_http_fcfaas_module.so" }


# the names of a program's modules stand in it
sub has_module {
    my ($binary) = @_;

    return $built_in{$binary} //= do {
        my ($path) = $binary =~ m{/} ? $binary
            : grep { -x } map { "$_/$binary" } split /:/, $ENV{PATH};
        my $text = '';

        if (defined $path && open my $f, '<:raw', $path) {
            local $/;
            $text = <$f>;
        }

        $text =~ /\0ngx_http_fcfaas_module\0/ ? 1 : 0;
    };
}


# the directives that stand first in its configuration
sub load_modules {
    my ($binary) = @_;
    my @files = split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';

    if (!@files && !has_module($binary // nginx_binary())) {
        @files = (nginx_module());
    }

    return join "\n", map { "load_module $_;" } @files;
}

1;
