/// Of this package, as `octcli --version` says it and runs keep it.
package let octNetVersion = "0.1.0"
