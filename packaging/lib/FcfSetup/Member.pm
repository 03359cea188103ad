package FcfSetup::Member;

# A machine that has joined: a node or a gateway, whose etcd, Redis and store
# are the head's.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Agent qw(agent);
use FcfSetup::Ca qw(fingerprint);
use FcfSetup::Files qw($etc slurp make_dir);
use FcfSetup::Front qw(front tls_snippet $tls $redis_socket);
use FcfSetup::Gateway qw(gateway);
use FcfSetup::Join qw(join_head token_given own_name own_address cluster_of
    is_own self_of);
use FcfSetup::Run qw(run start await);
use FcfSetup::Say qw(fail);

our @EXPORT_OK = qw(node joined_gateway is_member);


sub is_member { return -e "$tls/machine.pem" && !-e "$tls/ca.key" }


# (cluster, own address) of this machine, which joins if it has not yet
sub joined {
    my ($role, %opt) = @_;

    fail('this machine has an etcd of its own, by "fcfaas-setup single" or '
        . '"gateway": others join it (fcfaas-setup token)')
        if -e "$etc/etcd.yml";

    my $token = defined $opt{join} ? token_given($opt{join}) : undef;
    if (!is_member()) {
        my ($head) = split /:/, $token->{address};
        my $address = is_own($opt{address} // own_address($head));

        make_dir($etc, 0755);
        make_dir($tls, 0755);
        join_head($tls, token => $token, role => $role, name => own_name(),
            address => $address, into => $etc);
    }

    my $self = self_of($tls);
    fail("this machine is a $self->{role} already") if $self->{role} ne $role;
    fail("this machine is in another cluster already")
        if $token && $token->{fingerprint} ne fingerprint(slurp("$tls/ca.crt"));

    return (cluster_of($tls), $self->{address});
}


sub node {
    my (%opt) = @_;
    my ($cluster, $address) = joined('node', %opt);
    my %at = (cluster => $cluster, address => $address, redis => 1);

    agent(%opt, etcd => $cluster->{etcd}, redis => $redis_socket, joined => 1,
        address => $address, before => sub { front(%at, agent => 1) });
    start('fcfaas-renew.timer', 10);
    return $address;
}


sub joined_gateway {
    my (%opt) = @_;
    my ($cluster, $address) = joined('gateway', %opt);

    front(cluster => $cluster, address => $address, redis => 1);
    tls_snippet();
    my $at = gateway(etcd => $cluster->{etcd}, redis => $redis_socket,
        joined => 1, address => $address);
    start('fcfaas-renew.timer', 10);
    await_gateway($at);
    return "$address:" . ($at =~ /(\d+)$/)[0];
}


# until it has heard of etcd what there is
sub await_gateway {
    my ($at) = @_;
    my ($ok, $said) = await(30, sub {
        my ($there, $status) = run('curl', '-sS', '--noproxy', '*',
            '--max-time', 5, "http://$at/fcfaas/status");
        return ($there && $status =~ /"healthy":true/
            && $status !~ /"(?:healthy|connected)":false/ || 0, $status);
    });
    fail("the gateway does not reach etcd and Redis; its status is:\n$said")
        unless $ok;
}

1;
