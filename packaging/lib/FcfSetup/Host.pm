package FcfSetup::Host;

# What this machine must be before anything is written.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Files qw($etc $var);
use FcfSetup::Run qw(on_path must);
use FcfSetup::Say qw(fail);
use Fcntl qw(:flock);

our @EXPORT_OK = qw(check_host check_root alone check_room);

# of a new system: what etcd's log takes from its first second, twice
my $least_mb = 256;
my $lock;


# packages by what is run of them
my %of = (etcd => 'etcd-server', etcdctl => 'etcd-client',
    'redis-server' => 'redis-server', nginx => 'nginx', curl => 'curl',
    openssl => 'openssl', 'fcfaas-agent' => 'fcfaas-agent',
    fcfaas => 'fcfaas-cli');
my $modules = '/usr/lib/nginx/modules';

# and by role
my @stores = qw(etcd etcdctl redis-server nginx fcfaas);
my @several = qw(curl openssl nginx);
my %needs = (single => [@stores, 'fcfaas-agent'],
    head => [@stores, @several], node => [@several, 'fcfaas-agent'],
    gateway => \@several);


# what a machine of that role must have
sub check_host {
    my ($role) = @_;

    check_root();
    fail('no systemd runs here, which would start the services')
        unless -d '/run/systemd/system';

    my @lack = map { $of{$_} } grep { !on_path($_) } @{ $needs{$role} };
    push @lack, 'libnginx-mod-stream' if $role ne 'single'
        && -d $modules && !-e "$modules/ngx_stream_module.so";
    push @lack, 'libnginx-mod-http-fcfaas' if $role =~ /gateway|head/
        && -d $modules && !-e "$modules/ngx_http_fcfaas_module.so";
    @lack = sort @lack;
    fail("packages are missing: apt install @lack") if @lack;
    fail('/dev/net/tun is missing: modprobe tun')
        if $role =~ /single|node/ && !-e '/dev/net/tun';
}


sub check_root {
    fail('must be root: it writes settings and starts services') if $> != 0;
}


# One at a time; the lock ends with the process, however that ends.
sub alone {
    mkdir $etc or $!{EEXIST} or fail("cannot make $etc: $!");
    open $lock, '<', $etc or fail("$etc: $!");
    flock $lock, LOCK_EX | LOCK_NB or fail('another fcfaas-setup runs');
}


sub check_room {
    return if -e "$etc/etcd.yml";

    my ($at) = grep { -d } $var, '/var/lib';
    my ($free) = must('df', '-Pk', $at) =~ /^\S+ +\d+ +\d+ +(\d+) /m;
    my $mb = int(($free // return) / 1024);
    fail("$at has $mb MB left; etcd, images and VMs need $least_mb at least")
        if $mb < $least_mb;
}

1;
