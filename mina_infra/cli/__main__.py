from mina_infra.cli import main

main()
