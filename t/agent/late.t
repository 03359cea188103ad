#!/usr/bin/perl

# A transaction that etcd carries out after the agent has given it up, and
# even deleted what it would have made: nothing may stay of it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64 decode_base64);
use POSIX qw(_exit);
use Test::More;

use constant { SYS_prctl => 157, PR_SET_PDEATHSIG => 1 };

AgentHost::begin('late');
image('ghost');
$etcd->spec('ghost', max_instances => 1);

my $port = free_port();
my $slot = encode_base64('/functions/ghost/slots/0', '');
my $relay = relay();

# Between the agent and etcd: passes every request on but claims of that slot
# while $dir/hold is there; the first held is kept in $dir/held.
sub relay {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
        LocalPort => $port, Proto => 'tcp', ReuseAddr => 1) or die "relay: $!";
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    $SIG{TERM} = 'DEFAULT';
    syscall SYS_prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0;
    my $all = IO::Select->new($listen);
    my (%peer, %asked, %client);

    while (1) {
        for my $fh ($all->can_read) {
            if ($fh == $listen) {
                my $c = $listen->accept;
                my $s = IO::Socket::INET->new(PeerAddr => $etcd->{listen},
                    PeerPort => $etcd->port, Proto => 'tcp') or _exit(1);
                ($peer{$c}, $peer{$s}, $asked{$c}) = ($s, $c, '');
                $client{$c} = 1;
                $all->add($c, $s);
                next;
            }

            next unless $peer{$fh};         # closed in this turn

            my $data;
            if (!sysread $fh, $data, 65536) {
                my $other = delete $peer{$fh};
                delete $peer{$other};
                $all->remove($fh, $other);
                close $_ for $fh, $other;
                next;
            }

            if (!$client{$fh}) {
                syswrite $peer{$fh}, $data;
                next;
            }

            # whole requests only
            $asked{$fh} .= $data;
            while ($asked{$fh} =~ /^(.*?\r\n\r\n)/s) {
                my $head = $1;
                my ($n) = $head =~ /^content-length: *(\d+)/im;
                my $len = length($head) + ($n // 0);
                last if length $asked{$fh} < $len;
                my $request = substr $asked{$fh}, 0, $len, '';

                if (-e "$dir/hold" && $request =~ /\Q$slot/
                    && $request =~ m{/v3/kv/txn}
                    && $request !~ /delete_?range/i)
                {
                    spew("$dir/held", $request) unless -e "$dir/held";
                } else {
                    syswrite $peer{$fh}, $request;
                }
            }
        }
    }
}

my $agent = started('a', settings('a', etcd => "http://127.0.0.1:$port"));
spew("$dir/hold", '');
job('ghost', 'req-g');
$agent->line_matching(qr/claiming a slot: /, 10);
is_deeply([$etcd->keys('/functions/ghost/slots/')], [], 'no answer: no slot');
$agent->line_matching(qr/job given back in state claimed: timeout/, 15);
$agent->line_matching(qr/"gone".*"vm":"a-\d+"/, 10);

my $held = slurp("$dir/held");
my ($value) = map { decode_base64($_) } $held =~ /"value": *"([^"]+)"/;
my $worker = json_decode($value)->{worker_id};
like($worker, qr/^a-\d+$/, 'the claim that was held');

# what the agent sent long ago arrives
my $late = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $etcd->port, Proto => 'tcp') or die "etcd: $!";
print $late $held;
wait_for(sub { <$late> =~ m{^HTTP/1.1 200} }, 5, 'etcd to answer');
like($etcd->get('/functions/ghost/slots/0'), qr/"$worker"/, 'is carried out');

wait_for(sub { ($etcd->get('/functions/ghost/slots/0') // '')
    !~ /"$worker"/ }, 5, 'that slot to be deleted again');
pass('and deleted again');

unlink "$dir/hold";
$etcd->del_prefix('/functions/ghost/failures/');
job('ghost', 'req-g2');
my ($key, $i) = instance('ghost');
is(call('ghost', $i->{proxy_port})->{status}, 200, 'the function is served');
unlike($agent->output, qr/is not possible in state/, 'no illegal event');
ok($agent->stop, 'the agent ends');

kill 'TERM', $relay;
waitpid $relay, 0;
done_testing();
