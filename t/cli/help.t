# What helps to type a command: completion in bash, and manual pages, both made
# of the tables that the command itself goes by.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $cli = FcfTest::Cli->new(cwd => tmpdir(),
    conf => { etcd => $etcd->endpoint });
my $script = root() . '/cli/fcfaas.bash';

# what bash would make of a line; the cursor is at its end
sub completes {
    my ($line, @opt) = @_;
    my @words = $line eq '' ? '' : split / /, $line, -1;
    my $r = $cli->run(@opt, 'complete', $#words, @words);

    is($r->{err}, '', "nothing is said beside it: $line");
    return [split /\n/, $r->{out}];
}

$etcd->put("/specs/$_", {}) for qw(hello hallo other);
$etcd->put('/specs/hello/versions/1', {});

is_deeply(completes('de'), [qw(deploy describe)], 'commands');
ok((grep { $_ eq 'help' } @{ completes('') }), 'help is one of them');
is_deeply(completes('help rollb'), ['rollback'], 'help of one');
is_deeply(completes('nonsense '), [], 'none that is not there');
is_deeply(completes('describe '), [qw(hallo hello other)], 'functions');
is_deeply(completes('scale --min 1 he'), ['hello'], 'behind an option');
is_deeply(completes('scale hello o'), [], 'one is enough');
is_deeply(completes('secret set he'), ['hello'], 'behind another word');
is_deeply(completes('secret he'), [], 'not in its place');
is_deeply(completes('deploy '), [], 'files, where those are meant');
$etcd->put("/runtimes/$_", {}) for qw(base python3);
is_deeply(completes('runtime '), [qw(push ls rm)], 'words that a command knows');
is_deeply(completes('runtime push p'), ['python3'], 'runtimes');
is_deeply(completes('runtime push base '), [], 'and a file behind them');
is_deeply(completes('deploy --runtime '), [], 'the value of an option');
is_deeply(completes('deploy -m '), [], 'of one with a letter');
is_deeply(completes('deploy --mem'), ['--memory'], 'options of the command');
is_deeply(completes('ls --mem'), [], 'but not of another');
is_deeply(completes("$_ --ver"), [], "nor one of none: $_") for qw(ls rm doctor);
is_deeply(completes('logs f --ver'), ['--version'], 'logs has its own');
is_deeply(completes('--ver'), ['--version'], 'that of fcfaas');
is_deeply(completes('--etcd-p'), ['--etcd-password-file'], 'options of all');
is_deeply(completes('--etcd x de'), [qw(deploy describe)],
    'a command behind them');
is_deeply(completes('scale ', { env => { FCFAAS_ETCD => 'http://127.0.0.1:1' } }),
    [], 'without etcd no names');
is_deeply(completes('scale ', { env => { FCFAAS_ETCD => 'nonsense' } }),
    [], 'nor with a setting that is wrong');
isnt($cli->run('complete', @$_)->{status}, 0, "complete @$_")
    for [], [1], [-1], ['x'], [5, 'a'];

my $bin = FcfTest::Cli::binary();
my $bash = qx(env FCFAAS_CONF=${\ $cli->conf_path } bash -uc '
    source "$script"
    complete -p fcfaas
    COMP_WORDS=("$bin" describe h) COMP_CWORD=2
    _fcfaas
    printf "%s\\n" "\${COMPREPLY[@]}"' 2>&1);
is($bash, "complete -o bashdefault -o default -F _fcfaas fcfaas\nhallo\nhello\n",
    'in bash');


# manual pages
my %page = map { m{([^/]+)$} => slurp($_) }
    glob FcfTest::build_dir() . '/cli/man/*.1';
my @verbs = $cli->ok('help')->{out} =~ /^  ([a-z]+) /mg;

ok($page{'fcfaas.1'}, 'there is a page of the whole');

for my $verb (@verbs) {
    my @in = grep { $page{$_} =~ /^\.Ss fcfaas $verb$/m } sort keys %page;
    is(scalar @in, 1, "$verb is in one of them");
    like($page{'fcfaas.1'}, qr/^\.It Cm $verb\b/m, 'and in that of the whole');

    my @options = $cli->ok('help', $verb)->{out} =~ /^ .* --([a-z-]+)/mg;
    like($page{$in[0] // ''} // '', qr/^\.It .*Fl Fl $_\b/m, "its --$_")
        for @options;
}

for my $name (sort keys %page) {
    my $file = FcfTest::build_dir() . "/cli/man/$name";

    is(qx(mandoc -T lint -W warning $file), '', "$name has no fault");
    ok($page{$_}, "$name: there is a page $_")
        for map { "$_.1" } $page{$name} =~ /^\.Xr (\S+) 1/mg;
}

isnt($cli->run('mdoc', @$_)->{status}, 0, "mdoc @$_") for [], ['x'], [1, 2];

done_testing;
