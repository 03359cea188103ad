package FcfSetup::Front;

# What lies between this machine and others: fcfaas-front.service, and what
# nginx needs to speak to nodes.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Files qw($etc slurp put put_anew);
use FcfSetup::Ports qw(user_of);
use FcfSetup::Run qw(run start runs must);
use FcfSetup::Say qw(fail wrote did);
use FcfSetup::Tls qw(front_conf gateway_tls);

our @EXPORT_OK = qw(front tls_snippet $tls $redis_socket);

our $tls = "$etc/tls";
our $redis_socket = '/run/fcfaas-front/redis.sock';

my $file = "$etc/front.conf";
my %pem = (ca => "$tls/ca.crt", certificate => "$tls/machine.pem",
    key => "$tls/machine.pem");


# front(cluster => ..., address => ..., what it has: agent => 1, redis => 1
# where that is on another machine, own_redis => 1 where it is on this one).
# It is all ours: what changes in the agent's settings, changes in here.
sub front {
    my (%of) = @_;
    my %conf = (%pem);

    $conf{node} = ports_of_agent($of{address}) if $of{agent};
    $conf{redis} = [{ socket => $redis_socket, name => 'redis.fcfaas',
        address => $of{cluster}{redis} }] if $of{redis};
    $conf{own_redis} = { address => $of{cluster}{redis},
        socket => '/run/fcfaas-redis/redis.sock' } if $of{own_redis};

    my $text = front_conf(%conf);
    if ($text ne (slurp($file) // '')) {
        free_for($conf{node}) if $conf{node};
        put_anew($file, $text, 0644);
        wrote($file);
        if (runs('fcfaas-front.service')) {
            must('systemctl', 'reload', 'fcfaas-front.service');
            did('reloaded fcfaas-front.service');
        }
    }

    start('fcfaas-front.service', 30);
}


sub ports_of_agent {
    my ($address) = @_;
    my %set = (port_first => 30000, port_last => 32767,
        (slurp("$etc/agent.conf") // '') =~ /^(\w+) *= *(\S+)/mg);

    return { address => $address, first => $set{port_first},
        last => $set{port_last}, roles => [qw(gateway head)],
        admin => ($set{admin} // '') =~ /:(\d+)$/ ? $1 : undef };
}


# nobody else listens where the ports of VMs are to be
sub free_for {
    my ($node) = @_;
    my (undef, $said) = run('ss', '-Hltn');

    for ($said =~ /^\S+\s+\d+\s+\d+\s+(\S+)/mg) {
        my ($at, $port) = /^(.*):(\d+)$/ or next;
        next unless $at =~ /^(?:\*|0\.0\.0\.0|\[::\]|\Q$node->{address}\E)$/;
        next if $port < $node->{first} || $port > $node->{last};
        my $who = user_of($_);
        next if ($who // '') =~ /^nginx,/ && runs('fcfaas-front.service');
        fail("$_ is in use" . (defined $who ? " by $who" : '')
            . ": the ports from $node->{first} to $node->{last} are for VMs");
    }
}


# what a server that speaks to nodes includes
sub tls_snippet {
    put('/etc/nginx/snippets/fcfaas-tls.conf',
        "# How this gateway speaks to nodes, written by fcfaas-setup.\n\n"
        . gateway_tls(%pem), 0644);
}

1;
