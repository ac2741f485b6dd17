# The campaign in the native format, with a key that only two machines in their measured state can open.  Sourced by demo.sh.

tpm_start() { # NAME: a software TPM; sets tcti
	local port state=$dir/$1-tpm
	mkdir -p "$state"
	# its clients expect the control channel right behind the data channel
	port=$(python3 -c '
import socket
while True:
    with socket.socket() as a, socket.socket() as b:
        a.bind(("127.0.0.1", 0))
        try:
            b.bind(("127.0.0.1", a.getsockname()[1] + 1))
        except OSError:
            continue
        print(a.getsockname()[1])
        break')
	setsid swtpm socket --tpm2 --tpmstate "dir=$state" --server "type=tcp,port=$port,bindaddr=127.0.0.1" \
		--ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" --flags not-need-init,startup-clear >"$dir/$1-tpm.log" 2>&1 </dev/null &
	echo $! >"$dir/$1-tpm.pid"
	tcti=swtpm:host=127.0.0.1,port=$port
	for _ in $(seq 100); do tpm2_pcrread -T "$tcti" sha256:7 >/dev/null 2>&1 && return; sleep 0.1; done
	die "the TPM of the $1 did not start"
}

ceremony() { # one key, made once, then only in two TPMs
	say "1. The key.  Made once, carried under a passphrase, then held by the TPM of each party's machine, for registers 4 (boot loader) and 7 (Secure Boot)."
	tpm_start brand; brand_tpm=$tcti
	tpm_start publisher; publisher_tpm=$tcti
	(umask 077; echo "read aloud to the other party" >"$dir/passphrase")
	"$ng" key generate --store passphrase:14 --passphrase-file "$dir/passphrase" --collaboration $collaboration --output "$dir/transport.key" >/dev/null || die "no key"
	for who in brand publisher; do
		local to=${who}_tpm
		"$ng" key export-wrapped --passphrase-file "$dir/passphrase" --store "tpm:sha256:4,7@${!to}" --member $who --output "$dir/$who.key" "$dir/transport.key" >/dev/null || die "the $who's TPM does not take the key"
	done
	local id; id=$("$ng" key show "$dir/transport.key" | grep -oE '[0-9a-f]{16}' | head -1)
	"$ng" key destroy --confirm "$id" "$dir/transport.key" || die "the transport key was not destroyed"
	"$ng" key show "$dir/brand.key"
	"$ng" key show "$dir/publisher.key"
}

seal_native() { # WHO TABLE
	"$ng" seal --schema "examples/campaign/native/$2.schema.yaml" --key-file "$dir/$1.key" --collaboration $collaboration \
		--allow-cleartext --allow-duplicates "$dir/files/$2.csv" 2>/dev/null || die "could not seal $2.csv"
}

tampering() {
	say "3. An operator who swaps two sealed notes is found out by whoever holds the key"
	awk -F, -v OFS=, 'NR == 2 { held = $0; next } NR == 3 { split(held, a); t = a[6]; a[6] = $6; $6 = t; s = a[1]; for (i = 2; i <= 7; i++) s = s OFS a[i]; print s } { print }' \
		"$dir/files/customers.sealed.csv" >"$dir/files/swapped.csv"
	"$ng" unseal --key-file "$dir/brand.key" --collaboration $collaboration "$dir/files/swapped.csv" 2>&1 && die "two swapped cells went unnoticed"
	[ -e "$dir/files/swapped.unsealed.csv" ] && die "an output was left behind"
	"$ng" unseal --key-file "$dir/brand.key" --collaboration $collaboration "$dir/files/customers.sealed.csv" "$dir/files/customers.unsealed.csv" 2>/dev/null || die "the brand cannot open its own file"
	echo "The file as it was sealed opens: $(sed -n 2p "$dir/files/customers.unsealed.csv" | cut -d, -f2-)"
}

other_boot() {
	say "5. The publisher's machine starts another boot loader: register 4 changes, and the TPM keeps the key"
	tpm2_pcrextend -T "$publisher_tpm" 4:sha256=$(printf 'another boot loader' | sha256sum | cut -c1-64) || die "the register was not extended"
	"$ng" unseal --overwrite --key-file "$dir/publisher.key" --collaboration $collaboration "$dir/files/users.sealed.csv" 2>&1
	local status=$?
	echo "exit status $status"
	[ $status = 3 ] || die "the key was not refused"
}

sealed() { # VERIFIER
	ceremony
	say "2. Sealing.  The native format: fingerprints, sealed notes of hidden length, a tag over every row."
	mkdir -p "$dir/files" && python3 examples/campaign/generate.py "$dir/files" || die "could not generate the files"
	seal_native brand customers
	seal_native publisher users
	seal_native publisher impressions
	echo "brand's file:  $(sed -n 2p "$dir/files/customers.csv")"
	echo "sealed:        $(sed -n 2p "$dir/files/customers.sealed.csv" | cut -c1-230)..."
	tampering
	say "4. The campaign, measured on the sealed files; the proxy has no key"
	raw postgres -c "CREATE DATABASE campaign" && ( cd "$dir/files" && raw campaign -f "$root/examples/campaign/native/load.sql" ) || die "could not load the sealed files"
	serve campaign "$1"
	campaign_questions
	other_boot
}
