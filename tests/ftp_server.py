"""A small FTP server for one folder: what stores of arrays need, over real connections."""

import posixpath
import shutil
import socket
import socketserver
import threading
import time
from contextlib import suppress
from pathlib import Path

PASSWORD = "secret"  # noqa: S105 - nobody else's


class FtpServer(socketserver.ThreadingTCPServer):
    """Serves a folder on a port of this machine, to ``ann`` alone.

    Args:
        folder: What is served.
        port: Where; a free one where 0.
        writable: Whether anything may be changed.
        replaces: Whether a file may be renamed onto another.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, folder, *, port=0, writable=True, replaces=True):
        self.folder, self.writable, self.replaces = Path(folder), writable, replaces
        self.sessions = []
        super().__init__(("127.0.0.1", port), _Session)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def url(self, path):
        return f"ftp://ann:{PASSWORD}@127.0.0.1:{self.port}/{path}"

    def stop(self):
        """Go away as a server does that crashes: nobody is told goodbye."""
        self.shutdown()
        self.server_close()
        for session in self.sessions:
            with suppress(OSError):
                session.shutdown(socket.SHUT_RDWR)


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.sessions.append(self.connection)
        self.known, self.passive, self.rest, self.source = False, None, 0, None
        self.say("220 ready")
        with suppress(OSError):
            while line := self.rfile.readline().decode().strip():
                word, _, argument = line.partition(" ")
                self.answer(word.upper(), argument)

    def finish(self):
        super().finish()
        self.hang_up()

    def hang_up(self):
        if self.passive is not None:
            self.passive.close()

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def answer(self, word, argument):
        if not self.known and word not in {"USER", "PASS"}:
            return self.say("530 log in first")
        if word in {"STOR", "DELE", "MKD", "RNFR"} and not self.server.writable:
            return self.say("550 permission denied")
        action = getattr(self, f"on_{word.lower()}", None)
        if action is None:
            return self.say("502 not known")
        try:
            return action(argument)
        except OSError as error:
            return self.say(f"550 {error.strerror}")

    def path(self, argument):
        return self.server.folder / posixpath.normpath(f"/{argument}").lstrip("/")

    def on_user(self, name):
        self.say("331 and the password?" if name == "ann" else "530 not known")

    def on_pass(self, password):
        self.known = password == PASSWORD
        self.say("230 welcome" if self.known else "530 wrong")

    def on_type(self, _):
        self.say("200 fine")

    def on_pasv(self, _):
        self.hang_up()
        self.passive = socket.create_server(("127.0.0.1", 0))
        high, low = divmod(self.passive.getsockname()[1], 256)
        self.say(f"227 here (127,0,0,1,{high},{low})")

    def on_rest(self, offset):
        self.rest = int(offset)
        self.say("350 from there")

    def on_mlsd(self, argument):
        folder = self.path(argument)
        if not folder.is_dir():
            return self.say("550 no folder")
        lines = []
        for path in folder.iterdir():
            facts = path.stat()
            kind = "dir" if path.is_dir() else "file"
            when = time.strftime("%Y%m%d%H%M%S", time.gmtime(facts.st_mtime))
            lines.append(f"type={kind};size={facts.st_size};modify={when}; {path.name}\r\n")
        return self.transfer(lambda data: data.write("".join(lines).encode()))

    def on_retr(self, argument):
        with self.path(argument).open("rb") as file:
            file.seek(self.rest)
            self.transfer(lambda data: shutil.copyfileobj(file, data))

    def on_stor(self, argument):
        with self.path(argument).open("r+b" if self.rest else "wb") as file:
            file.seek(self.rest)
            self.transfer(lambda data: shutil.copyfileobj(data, file))

    def transfer(self, work):
        self.say("150 it begins")
        self.rest = 0
        with self.passive.accept()[0] as connection, connection.makefile("rwb") as data:
            work(data)
        self.say("226 done")

    def on_dele(self, argument):
        self.path(argument).unlink()
        self.say("250 gone")

    def on_mkd(self, argument):
        self.path(argument).mkdir()
        self.say(f'257 "{argument}"')

    def on_rnfr(self, argument):
        self.source = self.path(argument)
        self.say("350 and to where?" if self.source.is_file() else "550 no file")

    def on_rnto(self, argument):
        target = self.path(argument)
        if target.exists() and not self.server.replaces:
            return self.say("553 there is one")
        self.source.replace(target)
        return self.say("250 moved")

    def on_quit(self, _):
        self.say("221 goodbye")
