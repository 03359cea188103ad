#include "contract/fcf_names.h"
#include "contract/fcf_script.h"

#define FCF_TEXT_OF(x)  #x
#define FCF_TEXT(x)     FCF_TEXT_OF(x)


/*
 * Redis' own clock in milliseconds, and an expiry of the whole key at the
 * last deadline in it, so that functions nobody asks for any more leave
 * nothing behind.
 */

#define FCF_LUA_NOW                                                         \
    "local t = redis.call('TIME')\n"                                        \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

/* These keys are ours alone: what is of another type was written by somebody
 * who has no business there, and would stop every step that follows. */

#define FCF_LUA_OURS                                                        \
    "local function ours(key, kind)\n"                                      \
    "    local is = redis.call('TYPE', key).ok\n"                           \
    "    if is ~= kind and is ~= 'none' then\n"                             \
    "        redis.call('DEL', key)\n"                                      \
    "    end\n"                                                             \
    "end\n"

/* what is overdue goes, and so does a deadline further ahead than any that
 * one of us sets: Redis' clock stepped back, or somebody else wrote it */
#define FCF_LUA_PURGE                                                       \
    FCF_LUA_OURS                                                            \
    FCF_LUA_NOW                                                             \
    "ours(KEYS[1], 'zset')\n"                                               \
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n"                \
    "redis.call('ZREMRANGEBYSCORE', KEYS[1],\n"                             \
    "    now + " FCF_TEXT(FCF_PENDING_MAX_MS) ", '+inf')\n"

#define FCF_LUA_EXPIRE                                                      \
    "local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')\n"   \
    "if last[2] then\n"                                                     \
    "    redis.call('PEXPIREAT', KEYS[1], last[2])\n"                       \
    "end\n"


/* Each gateway tells how many wait in it, which counts until it has not told
 * for a while; what somebody else wrote there goes.  A demand and the jobs for
 * it are of one version; "all" are those of the function. */

const fcf_script_t  fcf_script_ask = {
    "ask",
    FCF_LUA_PURGE
    "ours(KEYS[3], 'hash')\n"
    "local own, each = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
    "local till = now + tonumber(ARGV[10])\n"
    "local sum, last = own, till\n"
    "local version = ARGV[3]:match(':%d+$')\n"
    "if own > 0 then\n"
    "    redis.call('HSET', KEYS[3], ARGV[3],\n"
    "        string.format('%d:%.0f', own, till))\n"
    "else\n"
    "    redis.call('HDEL', KEYS[3], ARGV[3])\n"
    "end\n"
    "local all = redis.call('HGETALL', KEYS[3])\n"
    "for i = 1, #all, 2 do\n"
    "    local n, t = all[i + 1]:match('^(%d+):(%d+)$')\n"
    "    n, t = tonumber(n), tonumber(t)\n"
    "    if not n or t <= now or t > now + "
             FCF_TEXT(FCF_PENDING_MAX_MS) " then\n"
    "        redis.call('HDEL', KEYS[3], all[i])\n"
    "    elseif all[i] ~= ARGV[3] then\n"
    "        if all[i]:match(':%d+$') == version then\n"
    "            sum = sum + n\n"
    "        end\n"
    "        last = math.max(last, t)\n"
    "    end\n"
    "end\n"
    "redis.call('PEXPIREAT', KEYS[3], string.format('%.0f', last))\n"
    /* an id says by "@<revision>" that its instance is in etcd since then; a
     * boot that etcd knows of is under way, whatever became of its id here */
    "local seen = tonumber(ARGV[11])\n"
    "local boots = {}\n"
    "for id in ARGV[12]:gmatch('[^,]+') do boots[id] = 'ours' end\n"
    "for id in ARGV[13]:gmatch('[^,]+') do boots[id] = 'others' end\n"
    "local pending, others = 0, 0\n"
    "local function count(of)\n"
    "    if of == 'others' then\n"
    "        others = others + 1\n"
    "    else\n"
    "        pending = pending + 1\n"
    "    end\n"
    "end\n"
    "for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do\n"
    "    local id, put = entry:match('^(.*)@(%d+)$')\n"
    "    if not put or tonumber(put) > seen then\n"
    "        count(boots[id or entry])\n"
    "        boots[id or entry] = nil\n"
    "    end\n"
    "end\n"
    "for _, of in pairs(boots) do count(of) end\n"
    "local live = tonumber(ARGV[8])\n"
    "local need = math.min(sum, 1)\n"
    "if each > 0 then\n"
    "    need = math.ceil(sum / each)\n"
    "end\n"
    "if pending + others + live >= tonumber(ARGV[7])\n"
    "   or ((own == 0 or pending >= need)\n"
    "       and pending + live >= tonumber(ARGV[6]))\n"
    "then\n"
    "    return 0\n"
    "end\n"
    /* the push may fail (the key holds something else): then nothing is
     * pending either */
    "redis.call('LPUSH', KEYS[2], ARGV[2])\n"
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[9]), ARGV[1])\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


const fcf_script_t  fcf_script_extend = {
    "extend",
    FCF_LUA_PURGE
    "if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then\n"
    "    return 0\n"
    "end\n"
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


const fcf_script_t  fcf_script_settle = {
    "settle",
    FCF_LUA_PURGE
    "local ttl = tonumber(ARGV[2])\n"
    "local id = ARGV[1]\n"
    "if ttl == 0 or ARGV[3] then\n"
    "    redis.call('ZREM', KEYS[1], id)\n"
    "end\n"
    "if ttl > 0 then\n"
    "    id = ARGV[3] and id .. '@' .. ARGV[3] or id\n"
    "    redis.call('ZADD', KEYS[1], now + ttl, id)\n"
    "end\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


/* As long as gateways that tell their demand have none, nobody waits; where
 * none tells (no such key) the deadline it was asked with is left to end. */

const fcf_script_t  fcf_script_hold = {
    "hold",
    FCF_LUA_PURGE
    "ours(KEYS[2], 'hash')\n"
    "local score = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
    "if not score then\n"
    "    return 0\n"
    "end\n"
    "local told, waits = false, false\n"
    "for _, demand in ipairs(redis.call('HVALS', KEYS[2])) do\n"
    "    local n, till = demand:match('^(%d+):(%d+)')\n"
    "    told = true\n"
    "    if n and tonumber(n) > 0 and tonumber(till) > now then\n"
    "        waits = true\n"
    "    end\n"
    "end\n"
    "if told and not waits then\n"
    "    redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "    return 0\n"
    "end\n"
    "local till = now + tonumber(ARGV[2])\n"
    "if waits and tonumber(score) < till then\n"
    "    redis.call('ZADD', KEYS[1], till, ARGV[1])\n"
    "end\n"
    FCF_LUA_EXPIRE
    "return 1\n"
};


/* the newest entry of taken is at its left: moved first, it ends up farthest
 * from the queue's right end, where jobs are taken */

const fcf_script_t  fcf_script_giveback = {
    "giveback",
    FCF_LUA_OURS
    "ours(KEYS[1], 'list')\n"
    "ours(KEYS[3], 'set')\n"
    "local n = 0\n"
    "while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do\n"
    "    n = n + 1\n"
    "end\n"
    "redis.call('SREM', KEYS[3], ARGV[1])\n"
    "return n\n"
};


const fcf_script_t  fcf_script_join = {
    "join",
    FCF_LUA_OURS
    FCF_LUA_NOW
    "ours(KEYS[1], 'set')\n"
    "redis.call('SADD', KEYS[1], ARGV[1])\n"
    "return { now, redis.call('SMEMBERS', KEYS[1]) }\n"
};


/* pushed first: if the queue's key is of another type nothing has happened */

const fcf_script_t  fcf_script_restore = {
    "restore",
    FCF_LUA_NOW
    "if not redis.call('LPOS', KEYS[1], ARGV[1]) then\n"
    "    return 0\n"
    "end\n"
    "local job = ARGV[2]\n"
    "if job ~= '' then\n"
    "    if ARGV[3] and tonumber(ARGV[3]) > 0 then\n"
    "        job = job:gsub(',\"not_before\":%d+}$', '}')\n"
    "        job = job:gsub('%s*}%s*$', string.format(\n"
    "            ',\"not_before\":%.0f}', now + tonumber(ARGV[3])))\n"
    "    end\n"
    "    redis.call('LPUSH', KEYS[2], job)\n"
    "end\n"
    "return redis.call('LREM', KEYS[1], 1, ARGV[1])\n"
};


const fcf_script_t  fcf_script_bury = {
    "bury",
    FCF_LUA_OURS
    "ours(KEYS[2], 'list')\n"
    "redis.call('LPUSH', KEYS[2], '{\"reason\":' .. cjson.encode(ARGV[2])\n"
    "    .. ',\"job\":' .. cjson.encode(ARGV[4] or ARGV[1]) .. '}')\n"
    "redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[3]) - 1)\n"
    "redis.call('LREM', KEYS[1], 1, ARGV[1])\n"
    "return 1\n"
};
