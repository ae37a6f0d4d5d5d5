# Eight allocations of a batch job, one shard each. Nomad says which index this is, and not how many
# there are.
job "billsim-nightly" {
  type = "batch"

  group "sweep" {
    count = 8

    restart {
      attempts = 2
      mode     = "fail"
    }

    volume "runs" {
      type   = "host"
      source = "billsim-runs"
    }

    task "billsim" {
      driver       = "docker"
      kill_timeout = "120s"

      config {
        image = "registry.example.org/billsim:latest"
        args  = ["sweep", "--profile", "nightly", "--shard", "auto", "--out", "/runs/{commit}/{shard}", "--resume"]
      }
      env { BILLSIM_SHARD_COUNT = "8" }
      volume_mount {
        volume      = "runs"
        destination = "/runs"
      }
      resources { cores = 4 }
    }
  }
}
