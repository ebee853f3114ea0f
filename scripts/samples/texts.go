package main

// manual is the English PDF: several pages, headings in an outline.
func manual() pdfDoc {
	h1 := func(s string) line { return line{s, 20, true} }
	h2 := func(s string) line { return line{s, 14, true} }
	p := func(s string) line { return line{text: s} }
	return pdfDoc{title: "Pump Station Manual", author: "Ribeira Water Works", language: "en", lines: []line{
		h1("Pump Station Manual"),
		p("This manual is for the people who run the pump stations of the Ribeira Water Works. It says what a station does, how it is watched, what to do when something fails, and whom to call. It replaces every older edition. Please keep one printed copy in each station, because the network may be down exactly when you need it."),
		h2("1. What a station does"),
		p("A station lifts water from the lower basin to a tower. Two pumps share the work. The first one, called the lead pump, starts when the level in the tower falls below 62 percent. The second one, called the lag pump, joins when the level falls below 48 percent or when the lead pump has run for ninety minutes without a rise. Both stop at 91 percent. The controller changes the roles of the two pumps every Monday at six in the morning, so that they wear evenly."),
		p("The tower holds 1,850 cubic metres. On a normal working day the town uses about 5,200 cubic metres; on a hot Saturday in January it may use 7,400. With one pump out of service a station can still deliver 4,900 cubic metres a day, which is enough from April to October but not in summer. That is why a pump that failed in December must be repaired within two days."),
		p("Pressure in the main is kept between 3.1 and 4.6 bar. Below 2.4 bar the controller closes the valve to the industrial district first, then the one to the irrigation ring, and never the one to the hospital. Above 5.2 bar a relief valve opens by itself; when it has opened, somebody must look at it on the same day."),
		h2("2. Daily round"),
		p("Every morning one person visits the station and writes down the level of the tower, the hours of each pump, the pressure in the main, the temperature of both motors and the reading of the chlorine probe. The round takes twenty minutes. Numbers are written as they are read, with their unit; a number that looks wrong is written down too, and read a second time."),
		p("Look for water on the floor, listen for a change in the sound of the pumps, and smell: a hot bearing smells before it fails. Check that the emergency light burns and that the telephone works. Close the gate behind you. If you cannot do the round, call the control room before eight o'clock so that somebody else is sent."),
		p("Once a week the strainer before each pump is cleaned. Stop the pump, close both valves, wait until the gauge shows zero, open the lid slowly. Weigh what you find: more than three kilograms in a week means that the screen in the lower basin is damaged. Once a month the diesel generator runs for half an hour under load."),
		h2("3. When something fails"),
		p("If one pump fails, the other takes over by itself. Call the control room, tell them the number of the station and what the display shows, and do not start the failed pump again before the cause is known. Three starts within an hour lock the motor for forty minutes; this protects the winding and cannot be switched off."),
		p("If both pumps fail, the tower lasts about seven hours at night and three and a half hours on a hot afternoon. The control room opens the connection to the neighbouring network, which takes twenty-five minutes because two valves are opened by hand. Tell them early rather than late. The hospital has a tank of its own for six hours."),
		p("If the power fails, the generator starts within fifteen seconds and carries one pump, the controller and the light. Its tank lasts eleven hours. Order fuel when four hours are left, not later; the supplier needs two hours to come, and longer on a public holiday."),
		p("If the chlorine probe shows less than 0.2 or more than 0.8 milligrams per litre, take a sample by hand first. Two of three alarms in the last year came from a dirty probe. If the sample confirms the reading, stop the station and call the laboratory at any hour. Nobody has ever been blamed for stopping a station; people have been blamed for waiting."),
		h2("4. Telephone numbers"),
		p("Control room: extension 4100, day and night. Laboratory: extension 4170 until six in the evening, afterwards through the control room. Electrical workshop: extension 4220. Diesel supplier: see the yellow card beside the generator. Write every call into the log book with the time and the name of the person who answered."),
		h2("5. Changes to this manual"),
		p("Who finds a mistake in this manual crosses it out in the printed copy, writes the right thing beside it with the date, and tells the control room. A new edition is printed every March. The edition of this year adds the paragraph on fuel and corrects the volume of the tower, which an older edition gave as 1,580 cubic metres."),
	}}
}

// report is the Portuguese DOCX: headings, a table, lists, a footnote.
func report() docxDoc {
	return docxDoc{title: "Relatório anual de perdas", author: "Águas da Ribeira", language: "pt-BR", body: []string{
		heading(1, "Relatório anual de perdas"),
		para("Este relatório descreve as perdas de água da rede da Ribeira no último ano, as suas causas e o que foi feito para reduzi-las. Os números vêm dos medidores de cada setor e foram conferidos duas vezes: uma pela equipe de operação, outra pelo laboratório."),
		heading(2, "Resumo"),
		noted("A rede perdeu 18,4 % da água que entrou nela, contra 22,9 % no ano anterior. A diferença equivale ao consumo de quase nove mil pessoas. Três quartos da melhora vieram da troca de ramais antigos no centro; o resto, da detecção acústica de vazamentos durante a madrugada.", 1),
		heading(2, "Perdas por setor"),
		tableXML([][]string{
			{"Setor", "Entrada (m³)", "Consumo (m³)", "Perda"},
			{"Centro", "612.400", "517.300", "15,5 %"},
			{"Vila Nova", "488.900", "381.800", "21,9 %"},
			{"Distrito industrial", "731.200", "640.500", "12,4 %"},
			{"Zona rural", "154.700", "103.300", "33,2 %"},
		}),
		para("A zona rural continua a ser o setor com a maior perda relativa. A tubulação é longa, atravessa terrenos alagados e tem poucos pontos de medição. Em números absolutos, porém, o maior ganho possível está em Vila Nova, onde duas avenidas ainda têm tubos de cimento-amianto instalados há mais de cinquenta anos."),
		heading(2, "O que foi feito"),
		item(1, "Troca de 4,2 quilômetros de ramais no centro, entre março e julho."),
		item(1, "Instalação de trinta e oito medidores com telemetria, que avisam quando o consumo noturno sobe sem explicação."),
		item(1, "Treinamento de doze pessoas na detecção acústica; cada equipe percorre agora seis quilômetros por noite."),
		item(1, "Revisão das válvulas redutoras de pressão, porque cada décimo de bar a menos reduz os vazamentos em cerca de um por cento."),
		para("A pressão noturna média caiu de 4,1 para 3,6 bar sem nenhuma reclamação dos moradores dos andares mais altos. O hospital foi avisado com antecedência e instalou uma bomba própria, que só foi acionada uma vez."),
		heading(2, "Próximos passos"),
		item(2, "Trocar os tubos das duas avenidas de Vila Nova, começando pelo trecho próximo à escola, durante as férias."),
		item(2, "Colocar seis pontos de medição na zona rural, antes das chuvas."),
		item(2, "Publicar os números de cada setor todos os meses, e não apenas uma vez por ano."),
		para("A meta para o próximo ano é uma perda de 16 %. Ela é alcançável se as obras de Vila Nova terminarem até setembro; se atrasarem, o valor provável é de 17,2 %. A direção decidiu que nenhuma outra obra terá prioridade sobre estas."),
		heading(2, "Agradecimentos"),
		para("Agradecemos às equipes que trabalharam à noite, aos moradores que avisaram de vazamentos pelo telefone, e à prefeitura, que abriu e fechou ruas quando foi preciso. Uma em cada quatro falhas foi descoberta por um morador atento antes de qualquer medidor."),
	}, footnotes: []string{"O cálculo segue a mesma fórmula dos anos anteriores; a água usada pelos bombeiros não é contada como perda."}}
}

const notice = `<!DOCTYPE html>
<html lang="pt-BR">
<head>
<meta charset="utf-8">
<title>Aviso de manutenção</title>
<style>body { font-family: sans-serif }</style>
</head>
<body>
<nav><a href="#quando">Quando</a></nav>
<h1>Aviso de manutenção programada</h1>
<p>Prezados moradores, na próxima terça-feira a estação de bombeamento da Rua das Acácias ficará parada para manutenção.
Durante esse período a pressão da água será menor nos bairros <em>Jardim Alto</em>, <em>Vila Nova</em> e <em>São José</em>.</p>
<h2 id="quando">Quando</h2>
<table>
<tr><th>Bairro</th><th>Início</th><th>Fim</th></tr>
<tr><td>Jardim Alto</td><td>8h00</td><td>14h00</td></tr>
<tr><td>Vila Nova</td><td>8h30</td><td>15h00</td></tr>
<tr><td>São José</td><td>9h00</td><td>12h30</td></tr>
</table>
<h2>O que fazer</h2>
<ol>
<li>Guarde água para beber e cozinhar; vinte litros por pessoa bastam.</li>
<li>Não ligue máquinas de lavar entre oito da manhã e três da tarde.</li>
<li>Depois da manutenção, abra a torneira mais próxima do hidrômetro e deixe correr até a água ficar clara.</li>
</ol>
<p>Se a água continuar turva após dez minutos, telefone para o ramal 4100 &mdash; atendemos dia e noite. Hospitais, escolas e
creches foram avisados separadamente e serão abastecidos por caminhão-pipa, se necessário.</p>
<script>console.log("não faz parte do texto")</script>
<p>Agradecemos a compreensão. A manutenção troca os rolamentos das duas bombas e renova o quadro elétrico, que é de 1987.
Com isso, o consumo de energia da estação deve cair cerca de onze por cento.</p>
</body>
</html>
`

const runbook = `---
title: On-call runbook
author: Ribeira Water Works
---

# On-call runbook

For whoever holds the telephone this week. Read it once before your first night; later you will only look things up.

## Before your week

- Test that your telephone rings when the control room calls extension 4199.
- Fetch the key of the yellow cabinet. It stays with the telephone.
- Read the log of the week before: an alarm that came twice will come a third time.

## Alarms

| Alarm | What it means | First step |
|-------|---------------|------------|
| LEVEL LOW | the tower is below 48 percent | look whether the lag pump runs |
| PRESSURE HIGH | more than 5.2 bar in the main | close nothing; call the control room |
| PROBE | chlorine outside 0.2 to 0.8 mg/l | take a sample by hand |
| DOOR | somebody opened a station | call back; it is mostly the morning round |

### LEVEL LOW

The lag pump should have joined by itself. If it did not, start it from the panel:

` + "```" + `
station> select 7
station 7> pump lag start
station 7> show level
level 47.2 %, rising
` + "```" + `

If the level does not rise within fifteen minutes, there is a burst. Find the sector whose flow went up, close its
inlet valve, and tell the control room which streets will be dry. People forgive a dry hour that was announced; they
do not forgive one that was not.

### PROBE

1. Take a sample at the tap beside the probe.
2. Rinse the probe with clean water and wait three minutes.
3. Compare. If they agree, the probe was right: stop the station and call the laboratory.
4. If they do not agree, write both numbers down and order a new membrane.

## After an alarm

Write down when it came, what you saw, what you did and when it was over. Four lines are enough. On Monday the whole
team reads all of them together, and changes one thing: a threshold, a part, or this page.
`

const minutes = `ATA DA REUNIÃO DE OPERAÇÃO

Data: 3 de março. Presentes: equipe de operação, laboratório, oficina elétrica.

1. Bombas da estação sete

A oficina informou que o rolamento da segunda bomba foi trocado na quinta-feira. A vibração caiu para a metade.
Decidiu-se medir outra vez depois de quinhentas horas de funcionamento e guardar o rolamento velho para análise,
porque durou menos de dois anos. A operação pediu que o próximo desligamento seja avisado com três dias de
antecedência, e não na véspera.

2. Qualidade da água

O laboratório não encontrou nenhuma amostra fora dos limites em fevereiro. Duas sondas deram alarme falso por causa
de sujeira na membrana. Elas passam a ser limpas a cada quinze dias, e a limpeza será anotada no livro da estação.
Houve três reclamações sobre gosto de cloro no Jardim Alto; as medições mostraram valores normais, mas o ponto de
dosagem será deslocado duzentos metros para longe das primeiras casas.

3. Combustível

O tanque do gerador da estação quatro estava quase vazio quando faltou energia no dia 19. A partir de agora o pedido
é feito quando restam quatro horas, sem exceção. O fornecedor confirmou que entrega em duas horas nos dias úteis.

4. Próxima reunião

Dia 7 de abril, às nove horas, na sala do laboratório. Cada equipe traz uma falha do mês e o que aprendeu com ela.
`
