package FcfRun::Agent;

# The agent of a running system: its start, and the removal of what one that
# was killed has left.

use strict;
use warnings;

use Exporter qw(import);
use FcfRun qw(%set tell);
use FcfRun::Service;
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un);

our @EXPORT_OK = qw(agent_service readable);


sub readable {
    my ($fh) = @_;
    my $bits = '';

    vec($bits, fileno $fh, 1) = 1;
    return select($bits, undef, undef, 0) > 0;
}


# The agent says on its notify socket, as to systemd, that it is ready.  Nobody
# reads what it says later: the socket is closed, lest it fill up.
sub agent_service {
    my $path = "$set{RUN_DIR}/data/notify";
    my ($notify, $said);

    return FcfRun::Service->new(name => 'agent', timeout => 60,
        env  => { NOTIFY_SOCKET => $path },
        argv => ["$set{RUN_BUILD}/agent/fcfaas-agent",
            "--conf=$set{RUN_DIR}/conf/agent.conf"],
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


# An agent cleans up at its start what the one before has left, and stops what
# it adopted at its end.  etcd and Redis still run.
sub reclaim {
    return unless -e "$set{RUN_DIR}/conf/agent.conf";

    my $agent = agent_service();

    tell('the agent was killed: another one cleans up after it');
    $agent->start or tell($agent->{why});
}

1;
