package rq

import (
	"fmt"
	"strconv"
	"time"
)

// What one transition may bring. Scripts stop the whole server while they run.
const (
	maxEffects    = 200
	maxEffectArgs = 400
)

// Op is a plain write that an Effect makes.
type Op string

// The writes an effect may be. Args are the command's arguments after the
// key, except for XADD: the maximum length (approximate; "0" for none), then
// field and value pairs.
const (
	OpHSet    Op = "HSET"
	OpHIncrBy Op = "HINCRBY"
	OpHDel    Op = "HDEL"
	OpZAdd    Op = "ZADD"
	OpZRem    Op = "ZREM"
	OpSAdd    Op = "SADD"
	OpSRem    Op = "SREM"
	OpSet     Op = "SET" // value, or value "PX" milliseconds
	OpSetNX   Op = "SETNX"
	OpDel     Op = "DEL"
	OpExpire  Op = "EXPIRE" // seconds
	OpPersist Op = "PERSIST"
	OpXAdd    Op = "XADD"
)

// Effect is a plain write applied in the same script as a transition, only
// when the transition is. All guards are evaluated before the first write. A
// write that Redis refuses (a key of the wrong type) is skipped and counted in
// the namespace's refused hash; it never stops the transition.
type Effect struct {
	Op   Op
	Key  string
	Args []string
	If   *Guard // nil: always
}

// Guard is a test on one key. With Field "" it is about the key itself: Is ""
// means it exists (Not: it is missing), any other Is that it holds that
// string. With Field set the hash field must be Is, where "" also matches an
// absent field; of a sorted set, Field is a member and Is its score, "" when it
// is no member. Not turns the test round.
type Guard struct {
	Key, Field, Is string
	Not            bool
}

// Condition must hold or the whole transition is refused with a
// *ConditionError and nothing is written. Either Guard or the Claim fields are
// set. A claim passes when ClaimKey is absent or already holds ClaimValue, and
// is then set with the transition, to expire after TTL when that is > 0.
type Condition struct {
	Guard      Guard
	ClaimKey   string
	ClaimValue string
	TTL        time.Duration
}

// When returns the effect guarded by g.
func (e Effect) When(g Guard) Effect {
	e.If = &g
	return e
}

// HSet sets hash fields: field, value, field, value...
func HSet(key string, fields ...string) Effect { return Effect{Op: OpHSet, Key: key, Args: fields} }

// HIncrBy adds n to an integer hash field.
func HIncrBy(key, field string, n int64) Effect {
	return Effect{Op: OpHIncrBy, Key: key, Args: []string{field, strconv.FormatInt(n, 10)}}
}

// HDel removes hash fields.
func HDel(key string, fields ...string) Effect { return Effect{Op: OpHDel, Key: key, Args: fields} }

// ZAdd gives member the score.
func ZAdd(key string, score float64, member string) Effect {
	return Effect{Op: OpZAdd, Key: key, Args: []string{strconv.FormatFloat(score, 'f', -1, 64), member}}
}

// ZRem removes members of a sorted set.
func ZRem(key string, members ...string) Effect { return Effect{Op: OpZRem, Key: key, Args: members} }

// SAdd adds members to a set.
func SAdd(key string, members ...string) Effect { return Effect{Op: OpSAdd, Key: key, Args: members} }

// SRem removes members of a set.
func SRem(key string, members ...string) Effect { return Effect{Op: OpSRem, Key: key, Args: members} }

// Set sets a string; ttl <= 0 means none.
func Set(key, value string, ttl time.Duration) Effect {
	e := Effect{Op: OpSet, Key: key, Args: []string{value}}
	if ttl > 0 {
		e.Args = append(e.Args, "PX", strconv.FormatInt(ttl.Milliseconds(), 10))
	}
	return e
}

// SetNX sets a string when the key is missing.
func SetNX(key, value string) Effect { return Effect{Op: OpSetNX, Key: key, Args: []string{value}} }

// Del deletes a key.
func Del(key string) Effect { return Effect{Op: OpDel, Key: key} }

// Expire gives a key a time to live, in whole seconds.
func Expire(key string, ttl time.Duration) Effect {
	return Effect{Op: OpExpire, Key: key, Args: []string{strconv.FormatInt(int64(ttl/time.Second), 10)}}
}

// Persist takes a key's time to live away.
func Persist(key string) Effect { return Effect{Op: OpPersist, Key: key} }

// XAdd appends an entry to a stream trimmed to about maxLen entries.
func XAdd(key string, maxLen int64, fields ...string) Effect {
	return Effect{Op: OpXAdd, Key: key, Args: append([]string{strconv.FormatInt(maxLen, 10)}, fields...)}
}

var ops = map[Op]bool{
	OpHSet: true, OpHIncrBy: true, OpHDel: true, OpZAdd: true, OpZRem: true, OpSAdd: true, OpSRem: true,
	OpSet: true, OpSetNX: true, OpDel: true, OpExpire: true, OpPersist: true, OpXAdd: true,
}

// checkWrites refuses what a script cannot take, before anything is sent.
func checkWrites(es []Effect, cs []Condition) error {
	if len(es)+len(cs) > maxEffects {
		return fmt.Errorf("%d effects and conditions: at most %d go with one transition", len(es)+len(cs), maxEffects)
	}
	for i, e := range es {
		if !ops[e.Op] || e.Key == "" {
			return fmt.Errorf("effect %d: %q on key %q is not a write that is allowed", i, e.Op, e.Key)
		}
		if len(e.Args) > maxEffectArgs {
			return fmt.Errorf("effect %d on %s: %d arguments, at most %d", i, e.Key, len(e.Args), maxEffectArgs)
		}
	}
	for i, x := range cs {
		if (x.ClaimKey == "") == (x.Guard.Key == "") {
			return fmt.Errorf("condition %d: either a guard or a claim must be given", i)
		}
	}
	return nil
}
