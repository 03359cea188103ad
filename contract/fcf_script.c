#include "contract/fcf_script.h"


/*
 * Redis' own clock in milliseconds, and an expiry of the whole key at the
 * last deadline in it, so that functions nobody asks for any more leave
 * nothing behind.
 */

#define FCF_LUA_NOW                                                         \
    "local t = redis.call('TIME')\n"                                        \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

#define FCF_LUA_EXPIRE                                                      \
    "local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')\n"   \
    "if last[2] then\n"                                                     \
    "    redis.call('PEXPIREAT', KEYS[1], last[2])\n"                       \
    "end\n"


const fcf_script_t  fcf_script_ask = {
    "ask",
    FCF_LUA_NOW
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n"
    "local pending = redis.call('ZCARD', KEYS[1])\n"
    "if pending + tonumber(ARGV[4]) >= tonumber(ARGV[3]) then\n"
    "    return 0\n"
    "end\n"
    /* the push may fail (the key holds something else): then nothing is
     * pending either */
    "redis.call('LPUSH', KEYS[2], ARGV[2])\n"
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[5]), ARGV[1])\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


const fcf_script_t  fcf_script_extend = {
    "extend",
    FCF_LUA_NOW
    "local score = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
    "if not score or tonumber(score) <= now then\n"
    "    return 0\n"
    "end\n"
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


const fcf_script_t  fcf_script_settle = {
    "settle",
    FCF_LUA_NOW
    "local ttl = tonumber(ARGV[2])\n"
    "if ttl == 0 then\n"
    "    redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "else\n"
    "    redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])\n"
    "end\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


/* the newest entry of taken is at its left: moved first, it ends up farthest
 * from the queue's right end, where jobs are taken */

const fcf_script_t  fcf_script_giveback = {
    "giveback",
    "local n = 0\n"
    "while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do\n"
    "    n = n + 1\n"
    "end\n"
    "redis.call('SREM', KEYS[3], ARGV[1])\n"
    "return n\n"
};


const fcf_script_t  fcf_script_restore = {
    "restore",
    "local n = redis.call('LREM', KEYS[1], 1, ARGV[1])\n"
    "if n == 1 and ARGV[2] ~= '' then\n"
    "    redis.call('LPUSH', KEYS[2], ARGV[2])\n"
    "end\n"
    "return n\n"
};


const fcf_script_t  fcf_script_bury = {
    "bury",
    "redis.call('LREM', KEYS[1], 1, ARGV[1])\n"
    "redis.call('LPUSH', KEYS[2], '{\"reason\":' .. cjson.encode(ARGV[2])\n"
    "    .. ',\"job\":' .. cjson.encode(ARGV[1]) .. '}')\n"
    "redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[3]) - 1)\n"
    "return 1\n"
};
