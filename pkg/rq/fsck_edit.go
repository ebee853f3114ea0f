package rq

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

var (
	scriptFsckLook = compile("job", "fsck_look")
	scriptFsckEdit = compile("job", "fsck_edit")
)

// word is a word of a command, of any bytes; in JSON a text, or {"base64": ...}
// where it is no valid UTF-8.
type word string

func (x word) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(x)) {
		return json.Marshal(string(x))
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(x))})
}

func (x *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*x = word(s)
		return nil
	}
	var m struct {
		Base64 []byte `json:"base64"`
	}
	err := json.Unmarshal(b, &m)
	*x = word(m.Base64)
	return err
}

// command is a command of Redis, or one that fsck_edit.lua adds.
type command []word

func cmd(words ...string) command {
	c := make(command, len(words))
	for i, x := range words {
		c[i] = word(x)
	}
	return c
}

func (c command) texts() []string {
	list := make([]string, len(c))
	for i, x := range c {
		list[i] = string(x)
	}
	return list
}

// probe must hold for commands to be made; see fsck_edit.lua.
type probe struct {
	Read command `json:"read"`
	Is   string  `json:"is"` // "=", "none", "some" or "any"
	Text word    `json:"text,omitempty"`
}

// hashIs holds while the field is as it was read; one that is empty may as
// well be missing.
func hashIs(key, field string, x fact) probe {
	if !x.is {
		return probe{cmd("HGET", key, field), "none", ""}
	}
	return probe{cmd("HGET", key, field), "=", word(x.text)}
}

// edit is one change and how it is undone. before reads what is there, do
// changes it, and undo, given what before found, answers what must hold for it
// to be as do left it, and the commands that bring back what was there.
type edit struct {
	before []probe
	do     command
	undo   func(found []*string) ([]probe, []command)
	after  *probe // when before found this already, there is nothing to do
	whole  string // the key whose whole content has to be read for undo
}

// setScore sets a member's score, nil removes it.
func setScore(key, member string, score *string) edit {
	read := cmd("ZSCORE", key, member)
	e := edit{before: []probe{{read, "any", ""}}, do: cmd("ZREM", key, member)}
	after := probe{read, "none", ""}
	if score != nil {
		e.do, after = cmd("ZADD", key, *score, member), probe{read, "=", word(*score)}
	}
	e.after = &after
	e.undo = func(found []*string) ([]probe, []command) {
		if found[0] == nil {
			return []probe{after}, []command{cmd("ZREM", key, member)}
		}
		return []probe{after}, []command{cmd("ZADD", key, *found[0], member)}
	}
	return e
}

// setMember puts a member into a set, or takes it out.
func setMember(key, member string, in bool) edit {
	read, put, drop := cmd("SISMEMBER", key, member), cmd("SADD", key, member), cmd("SREM", key, member)
	e := edit{before: []probe{{read, "any", ""}}, do: drop}
	after := probe{read, "=", "0"}
	if in {
		e.do, after.Text = put, "1"
	}
	e.after = &after
	e.undo = func(found []*string) ([]probe, []command) {
		if found[0] != nil && *found[0] == "1" {
			return []probe{after}, []command{put}
		}
		return []probe{after}, []command{drop}
	}
	return e
}

// setField sets a hash field; remove takes it away.
func setField(key, field, value string, remove bool) edit {
	read := cmd("HGET", key, field)
	e := edit{before: []probe{{read, "any", ""}}, do: cmd("HSET", key, field, value)}
	after := probe{read, "=", word(value)}
	if remove {
		e.do, after = cmd("HDEL", key, field), probe{read, "none", ""}
	}
	e.after = &after
	e.undo = func(found []*string) ([]probe, []command) {
		if found[0] == nil {
			return []probe{after}, []command{cmd("HDEL", key, field)}
		}
		return []probe{after}, []command{cmd("HSET", key, field, *found[0])}
	}
	return e
}

// maxCopies is how many of an entry the probe COUNT counts.
const maxCopies = 1000

// removeEntry takes the first such entry out of a list. It is put back before
// the entry that followed it, while there is one fewer than there were: not
// when it was enqueued again since, or never taken out. Of too many copies to
// be counted one more does no harm.
func removeEntry(key, entry string) edit {
	count := cmd("COUNT", key, entry, strconv.Itoa(maxCopies))
	return edit{
		before: []probe{{cmd("LPOS", key, entry), "some", ""}, {cmd("AFTER", key, entry), "any", ""}, {count, "any", ""}},
		do:     cmd("LREM", key, "1", entry),
		undo: func(found []*string) ([]probe, []command) {
			var fewer []probe
			if n, err := strconv.Atoi(*found[2]); err == nil && n < maxCopies {
				fewer = []probe{{count, "=", word(strconv.Itoa(n - 1))}}
			}
			if found[1] == nil {
				return fewer, []command{cmd("RPUSH", key, entry)}
			}
			return fewer, []command{cmd("PUTBACK", key, entry, *found[1], *found[0], "0")}
		},
	}
}

// push puts an entry that is not there to the head or tail of a list.
func push(key, entry string, tail bool) edit {
	op := "LPUSH"
	if tail {
		op = "RPUSH"
	}
	return edit{
		before: []probe{{cmd("LPOS", key, entry), "none", ""}}, do: cmd(op, key, entry),
		undo: func([]*string) ([]probe, []command) {
			return []probe{{cmd("LPOS", key, entry), "some", ""}}, []command{cmd("LREM", key, "1", entry)}
		},
	}
}

// deleteKey deletes a small key as it was read; one that is missing is no
// reason not to go on.
func deleteKey(key string) edit {
	return edit{before: []probe{{cmd("CONTENT", key), "any", ""}}, do: cmd("DEL", key), whole: key}
}

func renameKey(key, to string) edit {
	return edit{
		before: []probe{{cmd("EXISTS", to), "=", "0"}}, do: cmd("RENAME", key, to),
		undo: func([]*string) ([]probe, []command) {
			return []probe{{cmd("EXISTS", key), "=", "0"}, {cmd("EXISTS", to), "=", "1"}}, []command{cmd("RENAME", to, key)}
		},
	}
}

// expireKey gives a key a time to live that has none.
func expireKey(key string, seconds int) edit {
	return edit{
		before: []probe{{cmd("TTL", key), "=", "-1"}}, do: cmd("EXPIRE", key, strconv.Itoa(seconds)),
		undo: func([]*string) ([]probe, []command) {
			return []probe{{cmd("EXISTS", key), "=", "1"}}, []command{cmd("PERSIST", key)}
		},
	}
}

// addEntry appends to a stream, under an id that is later than all in it.
func addEntry(key, id string, fields []string) edit {
	return edit{
		before: []probe{{cmd("EXISTS", key), "any", ""}}, do: append(cmd("XADD", key, id), cmd(fields...)...),
		undo: func(found []*string) ([]probe, []command) {
			if found[0] != nil && *found[0] == "0" {
				return []probe{{cmd("XLEN", key), "=", "1"}}, []command{cmd("DEL", key)}
			}
			return []probe{{cmd("EXISTS", key), "=", "1"}}, []command{cmd("XDEL", key, id)}
		},
	}
}

// repair is what is to be done about a finding.
type repair struct {
	probes []probe
	edits  []edit
	move   *move
}

func (r *repair) when(p ...probe) *repair {
	r.probes = append(r.probes, p...)
	return r
}

// editCall runs fsck_edit.lua; without a token it only reads.
func (c *Client) editCall(token string, probes []probe, commands []command, fields []string, labels map[string]string, effects []Effect) call {
	t := c.tape().str(token).num(int64(len(probes)))
	for _, p := range probes {
		t.list(p.Read.texts()).str(p.Is, string(p.Text))
	}
	t.num(int64(len(commands)))
	var keys []string
	for _, x := range commands {
		t.list(x.texts())
		if k := string(x[1]); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return call{scriptFsckEdit, keys, t.list(fields).labels(labels).effects(effects)}
}
