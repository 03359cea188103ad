#!/usr/bin/perl

# A runtime's image that changes while VMs run of it: those that run keep the
# one that they have, also if the file is written over in place; those that
# start have the new one, and none ever has half of one.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('rtchanged');
my $file = "$dir/runtimes/base.img";
image($_) for qw(one two three four five six);
mkdir "$dir/root" or die $!;
my $whole = squashfs();

replace('first');
my $agent = started('a', settings('a'));
is(has('one'), 'first', 'an instance, of what there is');

replace('second');
is(has('two'), 'second', 'another image, by rename: who starts has it');
is(has('one'), 'first', 'who runs keeps the one before');
$agent->line_matching(qr/runtime image .*base\.img is another now, (?#
    )[0-9a-f]{12}\.\.\. after/, 20);
pass('which is told');

overwrite('third');
is(has('three'), 'third', 'one that is written over: who starts has it');
is(has('one'), 'first', 'who runs keeps the first');
is(has('two'), 'second', 'or the second');

# half of one is never used: what there was is

spew($file, substr($whole, 0, length($whole) / 2));
is(has('four'), 'third', 'one that is being written is not used');
$agent->line_matching(qr/base\.img: is not whole: \d+ of \d+ bytes; .*what (?#
    )starts has the one before/, 20);
pass('which is told');

# an agent that has never seen it whole says so to who waits

ok($agent->stop, 'the agent ends');
$agent = started('a', settings('a'));
$etcd->spec('five', memory_mb => 64);
our_job('five', 'req-five', 1);
my $f = failure('five', 'req-five');
is($f->{error}, 'no_image', 'one that was never whole');
like($f->{message}, qr/runtime image .*base\.img: is not whole: .*by mv/,
    'what is wrong, and the remedy');

open my $more, '>>', $file or die $!;
syswrite $more, substr $whole, length($whole) / 2;
close $more;
is(has('six'), 'whole', 'once it is whole it is used');
unlike($agent->output, qr/Sanitizer|runtime error/, 'no fault');
ok($agent->stop, 'the agent ends');

checked();
done_testing();


sub content { "$_[0]\n" . "\0" x 4096 }

sub replace {
    spew("$file.new", content($_[0]));
    rename "$file.new", $file or die $!;
}

sub overwrite { spew($file, content($_[0])) }


sub squashfs {
    spew("$dir/root/file", join '', map { chr rand 256 } 1 .. 50000);
    system(root() . "/vm/mkimage $dir/root $dir/whole.img >&2") == 0
        or die 'mkimage';
    return slurp("$dir/whole.img");
}


# what the VM of this function has as its runtime, which is started if there is
# none yet
my %worker;

sub has {
    my ($name) = @_;

    if (!$worker{$name}) {
        $etcd->spec($name, memory_mb => 64, idle_timeout_s => 6000);
        our_job($name, "req-$name", 1);
        my ($key) = instance($name);
        ($worker{$name}) = $key =~ m{/([^/]+)\z};
    }

    my ($vm) = grep { /\Q$worker{$name}\E/ } vm_dirs('a');
    my $has = $vm ? slurp("$vm/runtime.img") : 'no directory';
    return $has eq $whole ? 'whole' : $has =~ s/\n.*//sr;
}


# "fcfaas-agent --check" names what is not whole
sub checked {
    spew("$dir/runtimes/other.img", substr($whole, 0, 5000));
    my %all = settings('k');
    my $check = FcfTest::Proc->spawn(name => 'check',
        argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
            '--check', map { "--$_=$all{$_}" } keys %all]);
    isnt($check->wait(60), 0, 'a check tells that one is not whole');
    like($check->output, qr/other\.img: is not whole: 5000 of \d+ bytes/,
        'and which');
    like($check->output, qr/base\.img \([0-9a-f]{12}/,
        'and what the others are');
}
