# What fcfaas says of itself, of settings and of typing errors: one line, and
# the status that belongs to it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $cli = FcfTest::Cli->new(conf => { etcd => 'http://127.0.0.1:1' },
    cwd => '/');

sub says {
    my ($args, $status, $err, $what) = @_;
    my $r = $cli->run(@$args);

    is($r->{status}, $status, "$what: status") or diag($r->{err});
    like($r->{err}, $err, $what);
    is($r->{err} =~ tr/\n//, 1, "$what: one line") if $status;
    return $r;
}

my $r = $cli->run('help');
is($r->{status}, 0, 'help');
my @verbs = $r->{out} =~ /^  ([a-z]+) /mg;
cmp_ok(scalar @verbs, '>=', 7, 'names the commands');
is($cli->run('--help')->{out}, $r->{out}, '--help says the same');

for my $verb (@verbs) {
    my $h = $cli->run('help', $verb);
    is($h->{status}, 0, "help $verb");
    like($h->{out}, qr/^usage: fcfaas $verb\b/, "says how $verb is used");
    is($cli->run($verb, '-h')->{out}, $h->{out}, "$verb -h says the same");
}

$r = $cli->run;
is($r->{status}, 2, 'without a command');
like($r->{err}, qr/^usage: /, 'help goes to standard error');
is($r->{out}, '', 'and nothing to standard output');

says(['decsribe', 'x'], 2, qr/"decsribe".*did you mean "describe"\?$/,
    'a letter at the wrong place');
says(['xyzzy'], 2, qr/"xyzzy": there is no such command; fcfaas help/,
    'nothing near');
says(['help', 'sp'], 2, qr/did you mean "ps"\?/, 'help of what is not there');
says(['ls', '--jsn'], 2, qr/did you mean --json\?/, 'an option');
says(['ls', '-Z'], 2, qr/-Z: there is no such option/, 'a letter');
says(['ls', '--etcd'], 2, qr/--etcd: an argument is missing/, 'no argument');
says(['ls', 'x'], 2, qr/"x": one argument too many; usage: fcfaas ls/,
    'too many');
says(['describe'], 2, qr/usage: fcfaas describe NAME/, 'too few');
says(['describe', 'A'], 2, qr/"A" cannot be a function's name: a-z/, 'a name');
says(['scale', 'f'], 2, qr/--min, --max or --concurrency/, 'scale to what');
says(['scale', 'f', '--min', 'x'], 2,
    qr/--min x: must be a whole number from 0 to 100000/, 'no number');
says(['invoke', 'f@x'], 2, qr/a version's number/, 'a version');
says(['invoke', 'f/a b'], 2, qr/%20/, 'a blank in an address');
says(['invoke', 'f', '-d', '@/nowhere/x'], 1, qr{--data @/nowhere/x: No such},
    'a file that is not there');

# settings: value and place
says(['ls', '--etcd', 'http://localhost:1'], 2,
    qr{etcd endpoint "http://localhost:1": not a numeric address},
    'a name for an address');
says(['ls', '--prefix', 'a b'], 2, qr/prefix = "a b": must be/, 'a prefix');
says(['ls', '--gateway', 'x'], 2, qr/gateway = "x": must begin/, 'a gateway');
says(['ls', '--etcd-password-file', '/nowhere'], 2,
    qr{etcd_password_file = "/nowhere": No such file}, 'a password file');
says(['ls', '--conf', '/nowhere/x'], 2, qr{settings "/nowhere/x": No such},
    'a settings file');

my $bad = tmpdir() . '/bad.conf';
spew($bad, "# comment\n\n[fcfaas]\n etcd = http://127.0.0.1:1\nprefx = a\n");
says(['ls', '--conf', $bad], 2,
    qr{\Q$bad\E:5: "prefx": there is no such setting; did you mean "prefix"\?},
    'a setting that nobody knows');
spew($bad, "etcd\n");
says(['ls', '--conf', $bad], 2, qr{\Q$bad\E:1: "etcd": is no "name = value"},
    'no setting at all');

# a flag goes before the environment, that before the file
my $port = free_port();
my %env = (FCFAAS_ETCD => "http://127.0.0.1:$port");
like($cli->run('ls')->{err}, qr{127\.0\.0\.1:1:}, 'the file');
$r = $cli->run({ env => \%env }, 'ls');
is($r->{status}, 3, 'etcd that is not there: status');
like($r->{err}, qr{^fcfaas: etcd http://127\.0\.0\.1:$port: .*connect},
    'the environment');
like($cli->run({ env => \%env }, 'ls', '--etcd', 'http://127.0.0.1:2')
    ->{err}, qr{127\.0\.0\.1:2:}, 'a flag');
like($cli->run({ env => \%env }, '--etcd=http://127.0.0.1:2', 'ls')
    ->{err}, qr{127\.0\.0\.1:2:}, 'a flag before the command');

mkdir tmpdir() . "/$_" for '.config', '.config/fcfaas';
spew(tmpdir() . '/.config/fcfaas/fcfaas.conf', "etcd = http://127.0.0.1:3\n");
like($cli->run({ env => { HOME => tmpdir(), FCFAAS_CONF => '' } }, 'ls')
    ->{err}, qr{127\.0\.0\.1:3:}, "the user's own file");

# a reader that has gone, a full disk
$r = $cli->run({ to => '/dev/full' }, 'help');
is($r->{status}, 1, 'a full disk');
like($r->{err}, qr/standard output: No space left/, 'is told');

done_testing;
