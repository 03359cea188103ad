package FcfSetup::Gateway;

# The site of nginx, and the settings of the command fcfaas.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Conf qw(site_conf cli_conf);
use FcfSetup::Files qw($etc slurp put);
use FcfSetup::Ports qw(is_free free_port must_be_free);
use FcfSetup::Run qw(run must start runs await);
use FcfSetup::Say qw(fail did wrote has_written);

our @EXPORT_OK = qw(gateway enable_site reload_nginx command await_all);

my $site = 'sites-available/fcfaas';
# of what was written so far
my $read = 0;


# the local address of the gateway; the arguments are those of site_conf, and
# before: what is done before nginx reads it
sub gateway {
    my (%of) = @_;

    if (!-e "/etc/nginx/$site") {
        my $port = free_port('nginx', ['127.0.0.1', $of{address} // ()],
            8080 .. 8099);
        put("/etc/nginx/$site", site_conf(%of, port => $port));
    }

    my ($gateway) = (slurp("/etc/nginx/$site") // '')
        =~ /^\s*listen\s+([\d.]+:\d+)/m
        or fail("/etc/nginx/$site listens on no address");

    enable_site('fcfaas');
    must_be_free($gateway, "/etc/nginx/$site")
        if has_written(qr/nginx/) || !runs('nginx.service');
    $of{before}->() if $of{before};
    reload_nginx($gateway);
    return $gateway;
}


sub enable_site {
    my ($name) = @_;
    my $enabled = "/etc/nginx/sites-enabled/$name";
    return if -l $enabled || -e $enabled;

    symlink "../sites-available/$name", $enabled or fail("$enabled: $!");
    wrote($enabled);
}


# nginx listens at that address, with what was written, now or by a run that
# ended before it was read
sub reload_nginx {
    my ($address) = @_;
    my $unread = has_written(qr/nginx/) > $read || is_free($address);

    must('nginx', '-t', '-q');
    my $runs = runs('nginx.service');
    start('nginx.service', 60);

    if ($unread && $runs) {
        must('systemctl', 'reload', 'nginx.service');
        did('reloaded nginx.service');
    }
    $read = has_written(qr/nginx/);
}


# its arguments are those of cli_conf
sub command {
    my (@of) = @_;
    put("$etc/fcfaas.conf", cli_conf(@of));
}


# until nothing is wrong
sub await_all {
    my ($ok, $said) = await(30, sub { run('fcfaas', 'doctor') });
    fail("not all is well after 30 s; fcfaas doctor says:\n$said") unless $ok;
}

1;
