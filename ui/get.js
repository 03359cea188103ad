// One question, and why there is no answer to it, in words.

export const clock = { ahead: 0 };      // of the gateway's, before ours, in ms

// the time there; nodes' clocks are thought to be as the gateway's
export const now = () => Date.now() + clock.ahead;

export class Unanswered extends Error {
    constructor(why, status = 0) {
        super(why);
        this.status = status;
    }
}

const refused = {
    401: 'it wants to know who asks (401): load this page anew, and sign in',
    403: 'who asks may not see it (403)',
    404: 'there is nothing (404)',
    502: 'it takes no connection (502)',
    504: 'it says nothing (504)',
};

// the answer to a GET: its "json" or "text"
export async function get(path, kind, ms = 8000) {
    const late = (error) => error.name === 'TimeoutError' || error.name === 'AbortError';
    const silent = new Unanswered(`no answer in ${ms / 1000} seconds`);
    let answer;
    try {
        answer = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(ms) });
    } catch (error) {
        throw late(error) ? silent : new Unanswered('no connection');
    }
    if (!answer.ok) {
        throw new Unanswered(refused[answer.status]
            ?? `${answer.status} ${answer.statusText}`, answer.status);
    }
    noteClock(answer.headers.get('date'));
    try {
        return await answer[kind]();
    } catch (error) {
        throw late(error) ? silent : new Unanswered(error.name === 'SyntaxError'
            ? 'what it says is cut, or no JSON' : 'its answer was cut short');
    }
}

// Date has whole seconds: a small difference is none
function noteClock(date) {
    const ahead = Date.parse(date ?? '') + 500 - Date.now();
    if (!Number.isNaN(ahead)) clock.ahead = Math.abs(ahead) > 3000 ? ahead : 0;
}
