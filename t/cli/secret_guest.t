# Environment and secrets in a real guest, in software emulation, also in the
# clones of a snapshot; and where their bytes are, and are not.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use File::Find ();
use Test::More;

my $SECRET = 'tr0ub4dor-and-3-' . time;
my $VALUE = "with blanks, 'quotes'\nand lines";

my $s = FcfTest::System->start(vmm => 'qemu', env => { SNAPSHOTS => 'yes',
    AGENT_MORE => 'log_level=debug' })->up(180);
my $etcd = $s->etcd;
my $cli = $s->cli;

my $dir = tmpdir() . '/mine';
mkdir $dir;
spew("$dir/bootstrap", <<'END');
#!/bin/sh
mkdir -p /tmp/www/cgi-bin
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n%%s|%%s|%%s" "$KEY" "$PLAIN" "$FCFAAS_VERSION"\n' >/tmp/www/cgi-bin/tell
chmod +x /tmp/www/cgi-bin/tell
exec busybox httpd -f -p "$PORT" -h /tmp/www
END
chmod 0755, "$dir/bootstrap";

$cli->ok({ in => "$SECRET\n" }, 'secret', 'set', 'mine', 'KEY');
$cli->ok('env', 'mine', 'set', "PLAIN=$VALUE");
$cli->ok('deploy', $dir, '-t', 120, '--spec', '{"snapshot":true}');
is($cli->ok('invoke', 'mine/cgi-bin/tell')->{out}, "$SECRET|$VALUE|1",
    'the guest has both');

$cli->ok({ in => "$SECRET-2" }, 'secret', 'set', 'mine', 'KEY', '-t', 120);
is($cli->ok('invoke', 'mine/cgi-bin/tell')->{out}, "$SECRET-2|$VALUE|2",
    'after a change, too');

# its snapshot, and a clone
wait_for(sub { $s->log('agent') =~ /snapshot of version 2 made/ }, 120,
    'a snapshot');
my ($first) = $s->instances('mine');
kill 'KILL', $s->vmms($first);
wait_for(sub { my @all = $s->instances('mine'); !grep { $_ eq $first } @all },
    30, 'the instance to go');
is($cli->ok('invoke', 'mine/cgi-bin/tell')->{out}, "$SECRET-2|$VALUE|2",
    'so has a clone');
like($s->log('agent'), qr/restored/, 'which was restored');

# every place that others may look at
my @found;

my @logs = glob($s->run_dir . '/log/*');
ok(@logs > 3, scalar(@logs) . ' logs');
push @found, map { slurp($_) =~ /\Q$SECRET/ ? "log $_" : () } @logs;

for my $key ($etcd->keys('/')) {
    next if $key =~ m{^/secrets/mine/};
    push @found, "etcd key $key" if ($etcd->get($key) // '') =~ /\Q$SECRET/;
    push @found, "name $key" if $key =~ /\Q$SECRET/;
}

for my $key (split /\n/, $s->redis->cli('KEYS', '*')) {
    push @found, "Redis key $key"
        if $s->redis->cli('DUMP', $key) =~ /\Q$SECRET/;
}

for my $file (glob '/proc/[0-9]*/cmdline') {
    open my $fh, '<', $file or next;
    local $/;
    push @found, $file if (<$fh> // '') =~ /\Q$SECRET/;
}

# who reads what others may not is root or the user that it is for
File::Find::find({ no_chdir => 1, wanted => sub {
    my @st = lstat or return;
    push @found, "file name $_" if /\Q$SECRET/;
    return if !-f _ || $st[2] & 0004 && $st[7] > 1 << 28;
    return if !($st[2] & 0044);
    push @found, "readable file $_" if contains($_);
} }, $s->run_dir);

# a directory that nobody else may enter shuts what is in it
@found = grep { !/^readable file (.*)/ || open_to_others($1) } @found;
is_deeply(\@found, [], 'nothing of it anywhere else');

sub contains {
    my ($path) = @_;
    open my $fh, '<:raw', $path or return 0;
    my $tail = '';
    while (read $fh, my $chunk, 1 << 20) {
        return 1 if index($tail . $chunk, $SECRET) >= 0;
        $tail = substr $chunk, -length $SECRET;
    }
    return 0;
}

sub open_to_others {
    my ($path) = @_;
    my $dir = $path;
    while ($dir =~ s{/[^/]+$}{} && length($dir) >= length $s->run_dir) {
        return 0 unless (stat $dir)[2] & 0011;
    }
    return 1;
}

# the search finds what is there
ok((grep { -f && contains($_) } glob($s->run_dir . '/data/etcd/member/*/*'),
    glob($s->run_dir . '/data/etcd/member/*')), 'in etcd it is');

unlike($cli->ok('describe', 'mine')->{out} . $cli->ok('describe', 'mine',
    '--json')->{out} . $cli->ok('ls', '--json')->{out}, qr/\Q$SECRET/,
    'nor is it in what describe says');

done_testing;
