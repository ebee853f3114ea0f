package standalone

import (
	"crypto/subtle"
	"fmt"
	"os"
	"path"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// claimedVersion is the Redis whose commands the shim speaks for. RQ's tools
// choose what to send by it.
const claimedVersion = "7.0.0"

const msgLoading = "LOADING Redis is loading the dataset in memory"

// shim sees every command before miniredis does. It answers the few that RQ's
// tools and Redis clients need and miniredis lacks, refuses what a snapshot
// could not hold, and notes when something may have changed.
type shim struct {
	mini     *miniredis.Miniredis
	password string
	loader   string // user name of the connection that loads the snapshot
	secret   string // its password
	port     int
	clock    func() time.Time
	started  time.Time
	saved    func() (at time.Time, ok bool) // the last snapshot

	mu      sync.Mutex
	open    bool // clients may come in; before that the snapshot is being loaded
	nextID  int
	peers   map[*server.Peer]*peer
	changed time.Time // when a command that may write was last seen
}

// peer is one client connection.
type peer struct {
	id       int
	since    time.Time
	seen     time.Time
	name     string
	last     string // command
	lib, ver string
	trusted  bool // has authenticated, as far as the shim can tell
	loader   bool
}

// hook is miniredis's pre-hook: it returns true when the command is done.
func (s *shim) hook(c *server.Peer, cmd string, args ...string) bool {
	p := s.peer(c)
	if p == nil { // from a script
		return s.refused(c, cmd, args) || s.note(cmd)
	}
	s.see(p, cmd, args)
	if cmd == "HELLO" {
		if p.name != "" {
			c.ClientName = p.name // miniredis parses SETNAME and forgets it
		}
		return false
	}
	if !s.admitted(p) {
		if cmd == "AUTH" || cmd == "QUIT" {
			return false
		}
		c.WriteError(msgLoading)
		return true
	}
	if !p.trusted || p.loader {
		return false // miniredis itself asks for the password
	}
	return s.answered(c, p, cmd, args) || s.refused(c, cmd, args) || s.note(cmd)
}

// peer returns the connection that a command came over, and nil for one called
// from a script: that has a Peer of its own, which carries miniredis's context
// before the shim ever saw it.
func (s *shim) peer(c *server.Peer) *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.peers[c]; ok {
		return p
	}
	if c.Ctx != nil {
		return nil
	}
	s.nextID++
	p := &peer{id: s.nextID, since: s.clock()}
	s.peers[c] = p
	c.OnDisconnect(func() {
		s.mu.Lock()
		delete(s.peers, c)
		s.mu.Unlock()
	})
	return p
}

// see notes what a connection did last and whether it gave the password.
func (s *shim) see(p *peer, cmd string, args []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.last, p.seen = strings.ToLower(cmd), s.clock()
	if name, ok := clientName(cmd, args); ok {
		p.name = name
	}
	user, password := "default", ""
	switch {
	case cmd == "AUTH" && len(args) == 1:
		password = args[0]
	case cmd == "AUTH" && len(args) == 2:
		user, password = args[0], args[1]
	case cmd == "HELLO":
		at := slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "AUTH") })
		if at < 0 || at+2 >= len(args) {
			return
		}
		user, password = args[at+1], args[at+2]
	default:
		return
	}
	p.trusted = p.trusted || user == "default" && same(password, s.password)
	if user == s.loader && same(password, s.secret) {
		p.trusted, p.loader = true, true
	}
}

// clientName returns the name that a command gives its connection.
func clientName(cmd string, args []string) (string, bool) {
	name, ok := "", false
	switch {
	case cmd == "CLIENT" && len(args) == 2 && strings.EqualFold(args[0], "SETNAME"):
		name, ok = args[1], true
	case cmd == "HELLO":
		if at := slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "SETNAME") }); at >= 0 && at+1 < len(args) {
			name, ok = args[at+1], true
		}
	}
	return name, ok && !strings.ContainsAny(name, " \n")
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (s *shim) admitted(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open || p.loader
}

// admit lets clients in.
func (s *shim) admit() {
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
}

// harmless commands change nothing in the keyspace though miniredis does not
// list them as read-only. What a script changes is seen command by command.
var harmless = map[string]bool{
	"AUTH": true, "CLIENT": true, "CLUSTER": true, "COMMAND": true, "CONFIG": true, "DISCARD": true, "ECHO": true, "EVAL": true, "EVALSHA": true,
	"HELLO": true, "INFO": true, "MEMORY": true, "MULTI": true, "OBJECT": true, "PING": true, "PSUBSCRIBE": true, "PUBLISH": true,
	"PUBSUB": true, "PUNSUBSCRIBE": true, "QUIT": true, "SCRIPT": true, "SELECT": true, "SUBSCRIBE": true, "TIME": true,
	"UNSUBSCRIBE": true, "UNWATCH": true, "WAIT": true, "WATCH": true, "XINFO": true,
}

// note remembers when a command came that may write. It never ends a command.
func (s *shim) note(cmd string) bool {
	if harmless[cmd] || s.mini.IsReadOnlyCommand(cmd) {
		return false
	}
	s.mu.Lock()
	s.changed = s.clock()
	s.mu.Unlock()
	return false
}

// changedAt returns when a command that may write was last seen. It may be
// executed a moment later.
func (s *shim) changedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// refused answers the commands whose effect a snapshot could not hold.
func (s *shim) refused(c *server.Peer, cmd string, args []string) bool {
	why := ""
	switch cmd {
	case "SELECT":
		if len(args) == 1 && args[0] != "0" {
			why = "ERR DB index is out of range"
		}
	case "SWAPDB", "MOVE":
		why = "ERR DB index is out of range"
	case "COPY":
		if slices.ContainsFunc(args[min(2, len(args)):], func(a string) bool { return strings.EqualFold(a, "DB") }) {
			why = "ERR DB index is out of range"
		}
	case "PFADD", "PFMERGE", "HEXPIRE", "HSETEX", "XGROUP":
		why = fmt.Sprintf("ERR %s is not supported by docsvc's in-process Redis; install redis-server for it", cmd)
	}
	if why != "" {
		c.WriteError(why)
	}
	return why != ""
}

// answered answers what miniredis does not know.
func (s *shim) answered(c *server.Peer, p *peer, cmd string, args []string) bool {
	sub := ""
	if len(args) > 0 {
		sub = strings.ToUpper(args[0])
	}
	switch cmd {
	case "CLIENT":
		return s.client(c, p, sub, args)
	case "CONFIG":
		if sub != "GET" || len(args) < 2 {
			return false
		}
		s.configGet(c, args[1:])
		return true
	case "INFO":
		c.WriteBulk(s.info(args))
		return true
	}
	return false
}

func (s *shim) client(c *server.Peer, p *peer, sub string, args []string) bool {
	switch sub {
	case "ID":
		c.WriteInt(p.id)
	case "LIST":
		c.WriteBulk(s.clientList())
	case "INFO":
		c.WriteBulk(s.describe(p))
	case "SETINFO":
		if len(args) != 3 {
			return false
		}
		s.mu.Lock()
		switch strings.ToUpper(args[1]) {
		case "LIB-NAME":
			p.lib = args[2]
		case "LIB-VER":
			p.ver = args[2]
		}
		s.mu.Unlock()
		c.WriteOK()
	case "NO-EVICT", "NO-TOUCH":
		c.WriteOK()
	default:
		return false
	}
	return true
}

func (s *shim) clientList() string {
	s.mu.Lock()
	var all []*peer
	for _, p := range s.peers {
		if !p.loader {
			all = append(all, p)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *peer) int { return a.id - b.id })
	var out strings.Builder
	for _, p := range all {
		out.WriteString(s.describe(p))
	}
	return out.String()
}

// describe is a line of CLIENT LIST. miniredis does not tell the client's
// address; all clients are of this machine, since it listens on no other.
func (s *shim) describe(p *peer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	return fmt.Sprintf("id=%d addr=%s:0 laddr=%s:%d fd=-1 name=%s age=%d idle=%d flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 "+
		"qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=%s user=default redir=-1 resp=2 lib-name=%s lib-ver=%s\n",
		p.id, host, host, s.port, p.name, int(now.Sub(p.since).Seconds()), int(now.Sub(p.seen).Seconds()), p.last, p.lib, p.ver)
}

func (s *shim) configGet(c *server.Peer, patterns []string) {
	settings := [][2]string{
		{"appendonly", "no"}, {"bind", host}, {"databases", "1"}, {"maxmemory", "0"}, {"maxmemory-policy", "noeviction"},
		{"notify-keyspace-events", ""}, {"port", strconv.Itoa(s.port)}, {"save", ""}, {"timeout", "0"},
	}
	settings = slices.DeleteFunc(settings, func(kv [2]string) bool {
		return !slices.ContainsFunc(patterns, func(p string) bool {
			ok, err := path.Match(strings.ToLower(p), kv[0])
			return ok && err == nil
		})
	})
	c.Block(func(w *server.Writer) {
		w.WriteMapLen(len(settings))
		for _, kv := range settings {
			w.WriteBulk(kv[0])
			w.WriteBulk(kv[1])
		}
	})
}

// info answers INFO with the sections asked for, or all.
func (s *shim) info(asked []string) string {
	var out strings.Builder
	for _, name := range []string{"server", "clients", "memory", "persistence", "stats", "replication", "cluster", "keyspace"} {
		wanted := len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool {
			a = strings.ToLower(a)
			return a == name || a == "all" || a == "default" || a == "everything"
		})
		if !wanted {
			continue
		}
		if out.Len() > 0 {
			out.WriteString("\r\n")
		}
		fmt.Fprintf(&out, "# %s%s\r\n", strings.ToUpper(name[:1]), name[1:])
		for _, kv := range s.section(name) {
			fmt.Fprintf(&out, "%s:%v\r\n", kv[0], kv[1])
		}
	}
	return out.String()
}

func (s *shim) section(name string) [][2]any {
	up := int(s.clock().Sub(s.started).Seconds())
	srv := s.mini.Server()
	switch name {
	case "server":
		return [][2]any{{"redis_version", claimedVersion}, {"redis_mode", "standalone"}, {"server_name", "docsvc in-process (miniredis)"},
			{"process_id", os.Getpid()}, {"tcp_port", s.port}, {"uptime_in_seconds", up}, {"uptime_in_days", up / 86400}}
	case "clients":
		s.mu.Lock()
		defer s.mu.Unlock()
		return [][2]any{{"connected_clients", len(s.peers)}, {"blocked_clients", 0}}
	case "memory":
		used := heapInUse()
		return [][2]any{{"used_memory", used}, {"used_memory_human", fmt.Sprintf("%.2fM", float64(used)/(1<<20))}, {"used_memory_peak", used},
			{"maxmemory", 0}, {"maxmemory_human", "0B"}, {"maxmemory_policy", "noeviction"}, {"mem_fragmentation_ratio", "1.00"}}
	case "persistence":
		at, ok := s.saved()
		status := "ok"
		if !ok {
			status = "err"
		}
		return [][2]any{{"loading", 0}, {"aof_enabled", 0}, {"rdb_bgsave_in_progress", 0}, {"rdb_last_save_time", at.Unix()}, {"rdb_last_bgsave_status", status}}
	case "stats":
		return [][2]any{{"total_connections_received", srv.TotalConnections()}, {"total_commands_processed", srv.TotalCommands()}, {"evicted_keys", 0}}
	case "replication":
		return [][2]any{{"role", "master"}, {"connected_slaves", 0}}
	case "cluster":
		return [][2]any{{"cluster_enabled", 0}}
	}
	if n := len(s.mini.Keys()); n > 0 {
		return [][2]any{{"db0", fmt.Sprintf("keys=%d,expires=0,avg_ttl=0", n)}}
	}
	return nil
}

// heapInUse returns the memory in use by this process's objects, in bytes:
// miniredis's own share cannot be told.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
