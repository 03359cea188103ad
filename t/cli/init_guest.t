# The new user's path, from README alone, with real guests in software
# emulation: init, deploy, call; an error in the handler is a
# 500, and is seen in the logs; and the id of that answer finds its lines in
# gateway, agent and function.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;
use Time::HiRes qw(time);

is(system("cd '${\root()}' && make -s build/vm/runtimes/python3.img >&2"), 0,
    'the runtime is made');

my $s = FcfTest::System->start(vmm => 'qemu', env => {
    AGENT_MORE => 'log_level=debug' })->up(180);
my $cli = $s->cli;
my $dir = tmpdir();

# the commands as README has them, for this system
my ($path) = slurp(root() . '/README.md')
    =~ /^### From nothing to an answer\n[^#]*?\n\n((?:    [^\n]*\n)+)/m;
ok($path, 'README has them');
my @said = map { s/^    //r } split /\n/, $path // '';
ok(@said > 2, scalar(@said) . ' of them');

my $begin = time;
for my $line (@said) {
    my $run = $line =~ s/#.*//r;
    $run =~ s{^build/run/fcfaas}{FCFAAS_CONF='${\$cli->conf_path}' ${\FcfTest::Cli::binary()}};
    $run =~ s{127\.0\.0\.1:8080}{127.0.0.1:${\$s->port}};
    $run .= ' --timeout 120' if $run =~ / deploy /;
    my $out = `cd '$dir' && $run 2>&1`;
    is($?, 0, $line) or diag($out);
    is($out, '{"hello": "Ada"}', '  its answer') if $line =~ /curl/;
}
diag(sprintf 'from nothing to an answer: %.1f s', time - $begin);

# likewise of a shell alone
$cli->ok('init', '--runtime', 'base', "$dir/my-base");
$cli->ok('deploy', "$dir/my-base", '-t', 120);
is($cli->ok('invoke', 'my-base/')->{out}, "hello, world\n", 'base: it answers');

# an error
my $handler = slurp("$dir/f/handler.py");
spew("$dir/f/handler.py", $handler =~ s/(    return)/    print('greeting', name)\n    raise ValueError('no such luck')\n\n$1/r);
$cli->ok('deploy', "$dir/f", '-t', 120);
my $r = $s->get('/run/f');
is($r->{status}, 500, 'an error in the handler');
my $id = $r->{headers}{'x-request-id'};
like($id, qr/^req-/, 'the answer has an id');
wait_for(sub { $cli->run('logs', 'f', '--request', $id)->{out}
    =~ / stderr \Q$id\E \| ValueError: no such luck$/m }, 20,
    'which finds the error in the logs');
like($cli->ok('logs', 'f', '--request', $id)->{out},
    qr/ stdout \Q$id\E \| greeting world$/m, 'and what was printed before');
like($s->log('access'), qr/\Q$id\E/, "in the gateway's log");

# what shows only once it runs, in one line; and the version before serves on
my %mistakes = (
    "def handle(request)\n    return {}\n" =>
        qr/handler cannot be imported: SyntaxError: .+ \(handler\.py, line 1\)/,
    "def main(request):\n    return {}\n" =>
        qr/handler has neither handle\(request\) nor app nor application/,
    "import nosuch\n" => qr/no module nosuch: requirements\.txt names packages/,
);
spew("$dir/f/requirements.txt", "nosuch\n");
for my $code (sort keys %mistakes) {
    spew("$dir/f/handler.py", $code);
    my $told = $cli->run('deploy', "$dir/f", '-t', 120);
    is($told->{status}, 1, 'a mistake is not deployed');
    like($told->{err}, qr/^\| fcfaas: $mistakes{$code}.*\n(?s:.*)(?#
        )^fcfaas: f: version \d+ did not come up and is not current: .*\n\z/m,
        'deploy says which');
}
is($s->get('/run/f')->{status}, 500, 'the version before serves on');

done_testing;
