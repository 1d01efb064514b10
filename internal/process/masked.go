package process

import (
	"net/url"
	"strings"

	"github.com/alecthomas/kong"
)

// mask stands for a secret where settings are shown.
const mask = "***"

// maskedFlag is the text of a flag's value without what is secret in it.
func maskedFlag(flag *kong.Flag, text string) string {
	switch {
	case !flag.Tag.Has(secretTag) || text == "":
		return text
	case flag.Tag.Get(secretTag) == "url":
		return masked(text)
	default:
		return mask
	}
}

// masked is an address without the password in it. Of one that is not understood
// nothing is shown, as anything in it may be a password.
func masked(address string) string {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL || unclear(address) {
		return mask
	}
	authority, rest := splitAny(rest, "/?#")
	user, hosts, has := strings.Cut(authority, "@")
	if !has {
		user, hosts = "", authority
	}
	path, query := splitAny(rest, "?")
	if hosts == "" && path == "" || !plainHosts(hosts) {
		return mask // a password without a host would be taken for one
	}
	if name, _, secret := strings.Cut(user, ":"); secret {
		user = name + ":" + mask
	}
	if has {
		user += "@"
	}
	return scheme + "://" + user + hosts + path + maskedQuery(query)
}

// plainHosts says whether hosts are nothing else, each with a port of digits.
func plainHosts(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("x://" + host)
		if err != nil || u.User != nil || u.Host != host {
			return false
		}
	}
	return true
}

// maskedQuery shows the settings of an address that are known not to be secret.
func maskedQuery(query string) string {
	if query == "" {
		return ""
	}
	shown := strings.Split(strings.TrimPrefix(query, "?"), "&")
	for i, setting := range shown {
		name, value, has := strings.Cut(setting, "=")
		if has && value != "" && !isPlain(name) {
			shown[i] = name + "=" + mask
		}
	}
	return "?" + strings.Join(shown, "&")
}

// plainSettings are those of addresses that are not secret, in lower case.
var plainSettings = []string{
	"sslmode", "search_path", "host", "port", "user", "dbname", "application_name", "connect_timeout", "target_session_attrs",
	"pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_max_conn_idle_time", "pool_health_check_period",
	"tls", "tlsverifycert", "tlscafile", "nodepreference", "maxdiscoverattempts", "discoveryinterval", "gossiptimeout",
	"keepaliveinterval", "keepalivetimeout", "defaultdeadline", "connectionname",
}

func isPlain(name string) bool {
	for _, plain := range plainSettings {
		if strings.EqualFold(name, plain) {
			return true
		}
	}
	return false
}
