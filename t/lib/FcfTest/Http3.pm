package FcfTest::Http3;

# An HTTP/3 connection, by t/lib/http3.py: Debian's curl has none, and neither
# has it aioquic, so that is looked for in what FCF_PYTHON names (python3).
#
#   my $why = FcfTest::Http3::lacks;        # undef: all is there
#   my $c = FcfTest::Http3->new($port, $ca_file);
#   my $s = $c->request('/run/hello', method => 'POST', length => 500,
#       open => 1);                 # its stream; open: more of a body is to come
#   $c->data($s, 500, $end);
#   $c->cancel($s);
#   my $r = $c->response($s, $timeout);     # { status, length, body }: the
#                                           # body's first line
#   $c->close;

use strict;
use warnings;

use FcfTest ();

my $count = 0;


sub _python { $ENV{FCF_PYTHON} // 'python3' }

sub lacks {
    my $nginx = FcfTest::Nginx::binary();

    return "$nginx was built without --with-http_v3_module"
        if `$nginx -V 2>&1` !~ /--with-http_v3_module/;
    return _python() . ' has no module aioquic'
        if system(_python() . ' -c "import aioquic.h3" 2>/dev/null') != 0;
    return;
}


sub new {
    my ($class, $port, $ca) = @_;
    my $self = bless { proc => FcfTest::Proc->spawn(stdin => 1,
        name => 'http3-' . ++$count,
        argv => [_python(), FcfTest::root() . '/t/lib/http3.py', $port, $ca])
    }, $class;

    $self->{proc}->line_matching(qr/^connected/, 20);
    return $self;
}


sub request {
    my ($self, $path, %opt) = @_;

    $self->{proc}->send(join(' ', 'request', $opt{method} // 'GET', $path,
        $opt{length} // 0, $opt{open} ? 0 : 1) . "\n");
    $self->{proc}->line_matching(qr/^stream (\d+)/, 10) =~ /(\d+)/;
    return $1;
}


sub data { $_[0]{proc}->send("data $_[1] $_[2] " . ($_[3] ? 1 : 0) . "\n") }
sub cancel { $_[0]{proc}->send("cancel $_[1]\n") }
sub close { $_[0]{proc}->send("close\n"); $_[0]{proc}->wait(10) }


# lines are in the order in which answers end
sub response {
    my ($self, $stream, $timeout) = @_;
    my $log = $self->{proc}->log;
    my @got;

    FcfTest::wait_for(sub {
        @got = FcfTest::slurp($log)
            =~ /^answer $stream (\d+) (\d+) ?(.*)$/m;
    }, $timeout // 10, "an answer on stream $stream");

    return { status => $got[0], length => $got[1], body => $got[2] };
}

1;
