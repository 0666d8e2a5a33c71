"""A store of sessions in memory: look-ups, changes and expiry. Size: sessions, some 600 bytes each; all are equally likely."""
import sys


class Session:
    def __init__(self, user, now):
        self.user = user
        self.seen = now
        self.basket = [user, now]


def main(size):
    sessions = {f"session-{i}": Session(i, 0) for i in range(size)}
    state = 77
    expired = 0
    for now in range(25000):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        key = f"session-{(state >> 8) % size}"
        session = sessions[key]
        if now - session.seen > 20000:
            expired += 1
            sessions[key] = Session(now, now)
        else:
            session.seen = now
            session.basket[now & 1] += 1
    print(expired, sum(session.basket[0] + session.basket[1] for session in sessions.values()))


main(int(sys.argv[-1]))
