package FcfTest::Page;

# The page (ui/) as nginx.conf.example serves it, on a real gateway with etcd
# and Redis; nodes are what a test says they are: an nginx that gives out files
# in the place of their admin listeners.
#
#   my $p = FcfTest::Page->start(nodes => ['a', 'b'], workers => 2);
#   # or nodes => { a => $port }: one whose listener is the test's
#   $p->gateway; $p->url;           # of the page
#   $p->node('a', state => 'ill');  # its key in etcd, with what is other
#   $p->says('a', instances => [{ function_id => 'f', ... }],
#       failures => [...], lines => { f => [...] });
#   FcfTest::Page::locations();     # of nginx.conf.example, for a server {}

use strict;
use warnings;

use File::Path qw(make_path);

my %instance = (worker_id => 'a-1', state => 'registered', version => 1,
    requests => 0, inflight => 0, age_ms => 60000);

sub locations {
    my ($text) = FcfTest::slurp(FcfTest::root() . '/nginx.conf.example')
        =~ m{^(        location = /fcfaas/status \{\n.*?)^    \}\n\}}ms
        or die "no page in nginx.conf.example\n";
    return $text =~ s{alias +\Kui/;}{FcfTest::root() . '/ui/;'}er;
}

sub start {
    my ($class, %opt) = @_;
    my $nodes = delete $opt{nodes} // ['a'];
    my %port = ref $nodes eq 'HASH' ? %$nodes
        : map { $_ => FcfTest::free_port() } @$nodes;
    my $self = bless { port => \%port, dir => FcfTest::tmpdir() . '/nodes',
        gateway => FcfTest::Gateway->start(zone => '2m', server => locations(),
            %opt) }, $class;

    my @ports = sort values %port;
    $self->{listeners} = FcfTest::Nginx->start(name => 'nodes', module => 0,
        server => join '', (map { "listen 127.0.0.1:$_;" } @ports),
            "default_type application/json; root $self->{dir}/\$server_port;")
        if ref $nodes ne 'HASH';
    for (sort keys %port) {
        $self->says($_);
        $self->node($_);
    }

    return $self;
}

sub gateway { $_[0]{gateway} }
sub url { 'http://127.0.0.1:' . $_[0]{gateway}->port . '/fcfaas/ui/' }

sub node {
    my ($self, $name, %but) = @_;
    $self->gateway->etcd->put("/workers/$name", { address => '10.0.0.5',
        admin => "127.0.0.1:$self->{port}{$name}", cpu => 4, memory_mb => 4096,
        cpu_free => 3, memory_mb_free => 2048, vms => 1,
        agent_version => '1', vmm_version => '1', state => 'ready', %but });
}

sub says {
    my ($self, $name, %said) = @_;
    my $dir = "$self->{dir}/$self->{port}{$name}";

    make_path($dir);
    _put("$dir/instances", [map { { %instance, %$_ } }
        @{ $said{instances} // [] }]);
    _put("$dir/failures", $said{failures} // []);
    for my $f (sort keys %{ $said{lines} // {} }) {
        make_path("$dir/functions/$f");
        _put("$dir/functions/$f/lines", { lines => $said{lines}{$f},
            more => \0, next => '' });
    }
}

# in one step, since it is asked meanwhile
sub _put {
    my ($path, $what) = @_;
    FcfTest::spew("$path.new", FcfTest::json_encode($what));
    rename "$path.new", $path or die "$path: $!";
}

1;
