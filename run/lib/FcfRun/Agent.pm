package FcfRun::Agent;

# The agent of a running system and its proxy: their start, and the removal of
# what an agent that was killed has left.

use strict;
use warnings;

use Exporter qw(import);
use FcfRun qw(%set tell);
use FcfRun::Service;
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un);

our @EXPORT_OK = qw(agent_service proxy_service readable);


sub readable {
    my ($fh) = @_;
    my $bits = '';

    vec($bits, fileno $fh, 1) = 1;
    return select($bits, undef, undef, 0) > 0;
}


# Both say on a notify socket, as to systemd, that they are ready.  Nobody reads
# what they say later: the socket is closed, lest it fill up.
sub _service {
    my ($name, @argv) = @_;
    my $path = "$set{RUN_DIR}/data/notify-$name";
    my ($notify, $said);

    return FcfRun::Service->new(name => $name, timeout => 60,
        env  => { NOTIFY_SOCKET => $path }, argv => \@argv,
        prepare => sub {
            unlink $path;
            $said = '';
            socket($notify, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
            bind $notify, pack_sockaddr_un($path)
                or die "cannot bind $path: $! (a shorter RUN_DIR may help)\n";
        },
        ready => sub {
            while (readable($notify)) {
                recv $notify, my $text, 4096, 0;
                $said .= "$text\n";
            }

            return 0 unless $said =~ /^READY=1$/m;

            close $notify;
            unlink $path;
            return 1;
        });
}


# @more: settings before those of its file
sub agent_service {
    my (@more) = @_;

    return _service('agent', "$set{RUN_BUILD}/agent/fcfaas-agent",
        "--conf=$set{RUN_DIR}/conf/agent.conf", @more);
}


sub proxy_service {
    return _service('proxy', "$set{RUN_BUILD}/agent/fcfaas-proxy",
        "--socket=$set{RUN_DIR}/data/proxy.sock", "--user=$set{PROXY_USER}",
        "--node-id=$set{NODE_ID}");
}


# An agent cleans up at its start what the one before has left, and stops what
# it adopted at its end.  etcd and Redis still run; the proxy may not, and then
# it starts one.
sub reclaim {
    return unless -e "$set{RUN_DIR}/conf/agent.conf";

    my $agent = agent_service(
        "--proxy=$set{RUN_BUILD}/agent/fcfaas-proxy");

    tell('the agent was killed: another one cleans up after it');
    $agent->start or tell($agent->{why});
}

1;
