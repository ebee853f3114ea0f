package health

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// inProcess begins the name that the Redis inside serve --standalone has.
const inProcess = "docsvc in-process"

// nearlyFull is the share of maxmemory from which on somebody should look.
const nearlyFull = 0.9

// readInfo takes from INFO what it has. CONFIG is forbidden on managed Redis,
// and the in-process Redis answers little: what is not told stays empty.
func (c *Checker) readInfo(ctx context.Context, into *Redis) {
	info := map[string]string{}
	for _, section := range []string{"server", "memory", "persistence", "replication", "cluster"} {
		text, err := c.c.Queue.Redis().Info(ctx, section).Result()
		if err != nil {
			c.c.Log.Debug().Err(err).Str("section", section).Msg("reading INFO of Redis")
			continue
		}
		parseInfo(text, info)
	}
	into.Version = firstOf(info["valkey_version"], info["redis_version"])
	into.EvictPolicy, into.Role = info["maxmemory_policy"], info["role"]
	into.UsedMemory, _ = strconv.ParseInt(info["used_memory"], 10, 64)
	into.MaxMemory, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
	into.Replicas, _ = strconv.Atoi(info["connected_slaves"])
	into.Cluster = info["redis_mode"] == "cluster" || info["cluster_enabled"] == "1"
	into.inProcess = strings.HasPrefix(info["server_name"], inProcess)
	into.writeFailed = info["aof_last_write_status"] == "err" || info["rdb_last_bgsave_status"] == "err"
	switch info["aof_enabled"] {
	case "1":
		into.AppendOnly = "yes"
		into.AppendFsync = c.configured(ctx, "appendfsync")
	case "0":
		into.AppendOnly = "no"
	}
	into.Durability = into.durability()
}

// configured is a setting of Redis, "" where CONFIG is not allowed.
func (c *Checker) configured(ctx context.Context, name string) string {
	settings, err := c.c.Queue.Redis().ConfigGet(ctx, name).Result()
	if err != nil {
		c.c.Log.Debug().Err(err).Str("setting", name).Msg("reading a setting of Redis")
	}
	return settings[name]
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func parseInfo(text string, into map[string]string) {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			into[name] = value
		}
	}
}

// durability says what a crash of Redis can lose of what was acknowledged.
func (r Redis) durability() string {
	switch {
	case r.inProcess:
		return "in-process: a crash loses what came after the last snapshot"
	case r.AppendOnly == "":
		return ""
	case r.AppendOnly == "no":
		return "appendonly no: a crash loses what came after the last snapshot, which without `save` is everything"
	case r.AppendFsync == "always":
		return "appendonly yes, appendfsync always: a crash loses nothing that was acknowledged"
	case r.AppendFsync == "everysec":
		return "appendonly yes, appendfsync everysec: a power failure can lose the last second of what was acknowledged"
	case r.AppendFsync == "no":
		return "appendonly yes, appendfsync no: a power failure can lose the last 30 seconds or so of what was acknowledged"
	}
	return "appendonly yes: unless appendfsync is always, a power failure can lose the last second of what was acknowledged"
}

// findings are the settings that docsvc's promise does not hold with.
func (r Redis) findings() []finding {
	var found []finding
	say := func(status Status, format string, args ...any) {
		found = append(found, finding{status, fmt.Sprintf(format, args...)})
	}
	if r.Version != "" && older(r.Version, 6, 2) {
		say(Unhealthy, "Redis is version %s, docsvc needs 6.2 or newer: its scripts use commands that this one doesn't have.", r.Version)
	}
	if r.Cluster {
		say(Unhealthy, "Redis runs in cluster mode: RQ's keys have no hash tags, so that a job and its document would be in different servers. Use one server, with replicas and Sentinel if need be.")
	}
	if r.Role == "slave" {
		say(Unhealthy, "Redis is a replica: it takes no writes, or loses them when it copies its primary anew. Name the primary in redis.url, or the Sentinels in redis.sentinel_addrs.")
	}
	if r.EvictPolicy != "" && r.EvictPolicy != "noeviction" {
		say(Degraded, "Redis may drop jobs and documents when memory gets short: maxmemory-policy is %s, set it to noeviction.", r.EvictPolicy)
	}
	if r.MaxMemory > 0 && float64(r.UsedMemory) > nearlyFull*float64(r.MaxMemory) {
		say(Degraded, "Redis uses %d of %d bytes; when it is full nothing more is taken in.", r.UsedMemory, r.MaxMemory)
	}
	if r.AppendOnly == "no" && r.Replicas == 0 && !r.inProcess {
		say(Degraded, "Redis writes no append-only file and has no replica: a crash loses what was accepted since its last snapshot. Set appendonly to yes.")
	}
	if r.writeFailed {
		say(Degraded, "Redis could not write its data to disk the last time it tried: a crash loses what was accepted since. See its log; mostly the disk is full.")
	}
	return found
}

// RedisSettings says what the settings of Redis can cost: for each that
// docsvc's promise does not hold with a warning, and a sentence on what a crash
// loses, "" where the server doesn't tell. The error is that it can't be asked.
func (c *Checker) RedisSettings(ctx context.Context) (warnings []string, durability string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	if err := c.c.Queue.Redis().Ping(ctx).Err(); err != nil {
		return nil, "", fmt.Errorf("asking Redis for its settings: %w", err)
	}
	var r Redis
	c.readInfo(ctx, &r)
	for _, f := range r.findings() {
		warnings = append(warnings, f.reason)
	}
	return warnings, r.Durability, nil
}
